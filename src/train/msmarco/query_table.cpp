#include "train/msmarco/query_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/text_stream.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {

std::string query_text(const MappedFile& queries, std::uint64_t offset) {
  const std::string_view all = queries.text();
  if (offset == 0 || offset > all.size() || all[offset - 1] != '\t') {
    throw UserError(fmt::format("{} was changed while it was in use; start anew", queries.path().string()));
  }
  std::string result(all.substr(offset, all.find('\n', offset) - offset));
  if (const auto place = invalid_utf8(result)) {
    const auto line = std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(offset), '\n') + 1;
    throw UserError(fmt::format("{}:{}: invalid UTF-8 at byte {} of the query", queries.path().string(), line, *place));
  }
  return result;
}

std::string query_place(const MappedFile& queries, std::uint64_t offset) {
  const std::string_view before = queries.text().substr(0, offset - 1);  // up to the tab
  const std::size_t end_of_line = before.rfind('\n');
  return fmt::format("{}: query {}", queries.path().string(),
                     before.substr(end_of_line == std::string_view::npos ? 0 : end_of_line + 1));
}

QueryTable::QueryTable(const MappedFile& queries) {
  const std::string_view all = queries.text();
  std::int64_t line = 0;
  const auto place = [&](std::int64_t number) { return fmt::format("{}:{}", queries.path().string(), number); };
  for (std::size_t begin = mark_length(all, queries.path().string()); begin < all.size();) {
    ++line;
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const std::string_view text = all.substr(begin, end - begin);
    const std::size_t tab = text.find('\t');
    if (tab == std::string_view::npos) {
      throw UserError(place(line) + ": expected a number, a tab and a query, found no tab");
    }
    Entry entry{0, begin + tab + 1, line};
    const auto [digits_end, error] = std::from_chars(text.data(), text.data() + tab, entry.qid);
    if (error != std::errc() || digits_end != text.data() + tab) {
      throw UserError(fmt::format("{}: expected a query's number before the tab, found \"{}\"", place(line),
                                  text.substr(0, std::min<std::size_t>(tab, 40))));
    }
    entries_.push_back(entry);
    begin = end + 1;
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.qid < b.qid; });
  const auto twins = std::adjacent_find(entries_.begin(), entries_.end(),
                                        [](const Entry& a, const Entry& b) { return a.qid == b.qid; });
  if (twins != entries_.end()) {
    throw UserError(fmt::format("{}: query {} was there before, on line {}; expected each number once",
                                place((twins + 1)->line), twins->qid, twins->line));
  }
}

std::optional<std::uint64_t> QueryTable::offset(std::int64_t qid) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), qid,
                                      [](const Entry& entry, std::int64_t wanted) { return entry.qid < wanted; });
  if (found == entries_.end() || found->qid != qid) return std::nullopt;
  return found->offset;
}

}  // namespace sgpt
