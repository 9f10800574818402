// Unicode's categories and scripts by code point, version 16.0, as scripts/make_character_tables.py writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sgpt {

/// Code points from `first` to the next run's have this value: a place in the list of names, or its size for none.
struct CodeRun {
  char32_t first;
  std::uint8_t value;
};

struct CodeRange {
  char32_t first;
  char32_t last;
  bool operator==(const CodeRange&) const = default;
};

inline constexpr std::size_t kCategoryCount = 29;
extern const std::string_view kCategoryNames[kCategoryCount];  // Lu, Ll, … (surrogates have none)
extern const CodeRun kCategoryRuns[];
extern const std::size_t kCategoryRunsSize;

extern const std::string_view kScriptNames[];  // Latin, Han, …
extern const std::size_t kScriptCount;
extern const CodeRun kScriptRuns[];
extern const std::size_t kScriptRunsSize;

// Alphabetic, Uppercase and Lowercase beyond the categories L and Nl, Lu, and Ll.
extern const CodeRange kOtherAlphabetic[];
extern const std::size_t kOtherAlphabeticSize;
extern const CodeRange kOtherUppercase[];
extern const std::size_t kOtherUppercaseSize;
extern const CodeRange kOtherLowercase[];
extern const std::size_t kOtherLowercaseSize;

}  // namespace sgpt
