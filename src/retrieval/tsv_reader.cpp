#include "retrieval/tsv_reader.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/tab_fields.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TsvReader::TsvReader(const std::filesystem::path& file, std::initializer_list<std::string_view> needed,
                     const std::vector<std::string>& usual_columns)
    : lines_(file) {
  if (!read_row()) {
    throw UserError(fmt::format("{}: the file is empty; expected a header with the columns {}, separated by tabs",
                                file.string(), fmt::join(needed, ", ")));
  }
  const bool names_any =
      std::any_of(needed.begin(), needed.end(), [&](std::string_view name) { return has(row_, name); });
  if (!usual_columns.empty() && !names_any && row_.size() >= usual_columns.size()) {
    names_ = usual_columns;
    row_is_waiting_ = true;
    return;
  }
  names_ = row_;
  for (const std::string_view name : needed) {
    if (has(names_, name)) continue;
    throw UserError(
        fmt::format("{}: the column \"{}\" is missing: expected a header with {}, separated by tabs, "
                    "found \"{}\"",
                    lines_.place(), name, fmt::join(needed, ", "), fmt::join(names_, "\", \"")));
  }
}

std::optional<std::size_t> TsvReader::find(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

bool TsvReader::next() {
  if (!row_is_waiting_) return read_row();
  row_is_waiting_ = false;
  return true;
}

bool TsvReader::read_row() {
  for (std::string_view line; lines_.next(line);) {
    if (strip(valid_utf8(lines_, line)).empty()) continue;
    const auto fields = tab_fields(line);
    row_.assign(fields.begin(), fields.end());
    return true;
  }
  return false;
}

const std::string& TsvReader::at(std::size_t column) const {
  if (column < row_.size()) return row_[column];
  throw UserError(fmt::format("{}: the column \"{}\" is missing: expected {} columns separated by tabs, found {}",
                              lines_.place(), names_[column], names_.size(), row_.size()));
}

}  // namespace sgpt
