// Tables of text whose columns have names: tab-separated lines below a header, with no quoting at all (a quotation mark
// is a letter), as STS benchmark's and AllNLI's files are read by sentence-transformers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_lines.h"

namespace sgpt {

class TsvReader {
 public:
  /// Reads the header of a file, packed or not, which must name the columns `needed`. With `usual_columns`, a file
  /// whose first line names none of those and has so many columns has no header: it is its first row, and these are its
  /// names. Throws UserError naming the file and what is missing, or when it is empty.
  TsvReader(const std::filesystem::path& file, std::initializer_list<std::string_view> needed,
            const std::vector<std::string>& usual_columns = {});

  /// The place of a column, for at(). Nothing when there is none of that name.
  std::optional<std::size_t> find(std::string_view name) const;
  /// The same of a needed one.
  std::size_t column(std::string_view name) const { return find(name).value(); }

  /// False at the end. Blank lines are skipped. Throws UserError naming file and line on invalid UTF-8.
  bool next();
  /// Of the row last read. Throws UserError naming file, line and column where the row is too short.
  const std::string& at(std::size_t column) const;
  std::string place() const { return lines_.place(); }  ///< "FILE:LINE"

 private:
  bool read_row();

  LineReader lines_;
  std::vector<std::string> names_;
  std::vector<std::string> row_;
  bool row_is_waiting_ = false;  // the first line is a row
};

}  // namespace sgpt
