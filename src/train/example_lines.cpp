#include "train/example_lines.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "base/unicode.h"
#include "encode/text_source.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::array<std::string_view, 2> kQuery{"query", "anchor"};
constexpr std::array<std::string_view, 4> kPositive{"positive", "positives", "pos", "positive_passages"};
constexpr std::array<std::string_view, 6> kNegative{"negative",      "negatives",      "neg",
                                                    "hard_negative", "hard_negatives", "negative_passages"};
constexpr std::array<std::string_view, 5> kNoText{"_id", "id", "idx", "qid", "query_id"};

bool is_one_of(std::span<const std::string_view> names, std::string_view key) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

/// The N of "negative_N", as sentence-transformers numbers the columns of its n-tuples.
std::optional<std::int64_t> number_of_negative(std::string_view key) {
  constexpr std::string_view kNumbered = "negative_";
  if (!key.starts_with(kNumbered)) return std::nullopt;
  key.remove_prefix(kNumbered.size());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  return error == std::errc() && end == key.data() + key.size() ? std::optional(number) : std::nullopt;
}

/// Which of a line's keys hold what, each kind in the order of the tables above and of the numbers.
struct Keys {
  std::vector<std::string> query;
  std::vector<std::string> positive;
  std::vector<std::string> negative;
  std::vector<std::string> unknown;
};

Keys keys_of(const JsonLineReader& line) {
  Keys keys;
  std::vector<std::pair<std::int64_t, std::string>> numbered;
  for (std::string& key : line.keys()) {
    const auto number = number_of_negative(key);
    if (number) {
      numbered.emplace_back(*number, std::move(key));
    } else if (is_one_of(kQuery, key)) {
      keys.query.push_back(std::move(key));
    } else if (!is_one_of(kPositive, key) && !is_one_of(kNegative, key) && !is_one_of(kNoText, key)) {
      keys.unknown.push_back(std::move(key));
    }
  }
  for (const std::string_view key : kPositive) {
    if (line.has(key)) keys.positive.emplace_back(key);
  }
  for (const std::string_view key : kNegative) {
    if (line.has(key)) keys.negative.emplace_back(key);
  }
  std::sort(numbered.begin(), numbered.end());
  for (auto& [number, key] : numbered) keys.negative.push_back(std::move(key));
  return keys;
}

std::vector<std::string> texts_under(const JsonLineReader& line, const std::vector<std::string>& keys) {
  std::vector<std::string> texts;
  for (const std::string& key : keys) {
    for (const JsonLineReader::TitledText& text : line.texts(key))
      texts.push_back(document_text(text.title, text.text));
  }
  return texts;
}

bool has_any_of(const std::vector<std::uint64_t>& sorted, std::uint64_t hash) {
  return std::binary_search(sorted.begin(), sorted.end(), hash);
}

}  // namespace

void Remarks::add(std::string_view what, std::string place) {
  const auto known =
      std::find_if(remarks_.begin(), remarks_.end(), [&](const Remark& remark) { return remark.what == what; });
  if (known != remarks_.end()) {
    ++known->count;
  } else {
    remarks_.push_back({std::string(what), std::move(place), 1});
  }
}

void Remarks::warn() const {
  for (const Remark& remark : remarks_) {
    const std::string more = remark.count > 1 ? fmt::format(" ({} times; this is the first)", remark.count) : "";
    log::warning(fmt::format("{}: {}{}", remark.first_place, remark.what, more));
  }
}

std::uint64_t hash_of_text(std::string_view text) {
  const std::string_view stripped = strip(text);
  return XXH3_64bits(stripped.data(), stripped.size());
}

bool ExampleLines::next(ExampleLine& example) {
  if (!line_.next()) return false;
  const Keys keys = keys_of(line_);
  if (keys.query.size() != 1) {
    throw UserError(fmt::format("{}: expected the text of a query under \"{}\", found {}", place(),
                                fmt::join(kQuery, "\" or \""), keys.query.empty() ? "none" : "both"));
  }
  example.query = line_.required_string(keys.query.front());
  example.positives = texts_under(line_, keys.positive);
  example.negatives = texts_under(line_, keys.negative);
  if (example.positives.empty()) {
    throw UserError(
        fmt::format("{}: \"positive\" is missing: a text (or a list of texts) that answers the query is expected "
                    "(\"{}\" are other names for it)",
                    place(), fmt::join(kPositive.begin() + 1, kPositive.end(), "\", \"")));
  }
  for (const std::string& key : keys.unknown) {
    remarks_.add(fmt::format("\"{}\" is not used: texts stand under \"query\", \"positive\" and \"negative\" "
                             "(docs/formats.md has their other names)",
                             key),
                 place());
  }
  look_at(example);
  return true;
}

void ExampleLines::look_at(const ExampleLine& example) {
  std::vector<std::uint64_t> positives;
  std::vector<std::uint64_t> negatives;
  const std::uint64_t query = hash_of_text(example.query);
  if (strip(example.query).empty()) remarks_.add("the query is empty", place());
  look_at_empty_and_repeated("positive", example.positives, positives);
  look_at_empty_and_repeated("negative", example.negatives, negatives);
  const auto both = [&](std::uint64_t positive) { return has_any_of(negatives, positive); };
  if (std::any_of(positives.begin(), positives.end(), both)) {
    remarks_.add("a negative is the positive itself: that cannot be learnt", place());
  }
  if (has_any_of(positives, query)) remarks_.add("a positive is the query itself: nothing is learnt from it", place());
  const std::array<std::uint64_t, 2> pair{query, positives.front()};
  if (!pairs_.insert(XXH3_64bits(pair.data(), sizeof(pair))).second) {
    remarks_.add("the query and its positive stood in an earlier line already", place());
  }
}

/// Leaves their hashes in `hashes`, sorted.
void ExampleLines::look_at_empty_and_repeated(std::string_view role, const std::vector<std::string>& texts,
                                              std::vector<std::uint64_t>& hashes) {
  for (const std::string& text : texts) {
    if (strip(text).empty()) remarks_.add(fmt::format("a {} is empty", role), place());
    hashes.push_back(hash_of_text(text));
  }
  std::sort(hashes.begin(), hashes.end());
  if (std::adjacent_find(hashes.begin(), hashes.end()) != hashes.end()) {
    remarks_.add(fmt::format("a {} is listed twice", role), place());
  }
}

}  // namespace sgpt
