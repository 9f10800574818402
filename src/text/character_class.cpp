#include "text/character_class.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace sgpt {

namespace {

using Categories = std::uint32_t;  // a bit for each, in the order of kCategoryNames

/// Of names of two letters, or of one that stands for all that begin with it; 0 when there is none such.
Categories categories(std::string_view name) {
  Categories result = 0;
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    if (kCategoryNames[i].starts_with(name)) result |= Categories{1} << i;
  }
  return result;
}

struct LongName {
  std::string_view name;
  std::string_view category;
};

constexpr LongName kLongNames[] = {{"letter", "L"},
                                   {"uppercaseletter", "Lu"},
                                   {"lowercaseletter", "Ll"},
                                   {"titlecaseletter", "Lt"},
                                   {"modifierletter", "Lm"},
                                   {"otherletter", "Lo"},
                                   {"mark", "M"},
                                   {"combiningmark", "M"},
                                   {"nonspacingmark", "Mn"},
                                   {"spacingmark", "Mc"},
                                   {"enclosingmark", "Me"},
                                   {"number", "N"},
                                   {"decimalnumber", "Nd"},
                                   {"digit", "Nd"},
                                   {"letternumber", "Nl"},
                                   {"othernumber", "No"},
                                   {"punctuation", "P"},
                                   {"punct", "P"},
                                   {"connectorpunctuation", "Pc"},
                                   {"dashpunctuation", "Pd"},
                                   {"openpunctuation", "Ps"},
                                   {"closepunctuation", "Pe"},
                                   {"initialpunctuation", "Pi"},
                                   {"finalpunctuation", "Pf"},
                                   {"otherpunctuation", "Po"},
                                   {"symbol", "S"},
                                   {"mathsymbol", "Sm"},
                                   {"currencysymbol", "Sc"},
                                   {"modifiersymbol", "Sk"},
                                   {"othersymbol", "So"},
                                   {"separator", "Z"},
                                   {"spaceseparator", "Zs"},
                                   {"lineseparator", "Zl"},
                                   {"paragraphseparator", "Zp"},
                                   {"other", "C"},
                                   {"control", "Cc"},
                                   {"cntrl", "Cc"},
                                   {"format", "Cf"},
                                   {"privateuse", "Co"},
                                   {"unassigned", "Cn"}};

CodeSet joined(CodeSet ranges, std::span<const CodeRange> more) {
  ranges.insert(ranges.end(), more.begin(), more.end());
  std::sort(ranges.begin(), ranges.end(), [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  CodeSet result;
  for (const CodeRange& range : ranges) {
    if (!result.empty() && range.first <= result.back().last + 1) {
      result.back().last = std::max(result.back().last, range.last);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

/// The runs whose value `wanted` takes.
template <class Wanted>
CodeSet members(std::span<const CodeRun> runs, const Wanted& wanted) {
  CodeSet result;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!wanted(runs[i].value)) continue;
    const char32_t last = i + 1 < runs.size() ? runs[i + 1].first - 1 : 0x10FFFF;
    if (!result.empty() && result.back().last + 1 == runs[i].first) {
      result.back().last = last;
    } else {
      result.push_back({runs[i].first, last});
    }
  }
  return result;
}

CodeSet members(Categories categories) {
  return members(std::span(kCategoryRuns, kCategoryRunsSize),
                 [&](std::uint8_t value) { return value < kCategoryCount && ((categories >> value) & 1u) != 0; });
}

CodeSet alphabetic(Categories more) {
  return joined(members(categories("L") | categories("Nl") | more), {kOtherAlphabetic, kOtherAlphabeticSize});
}

/// As Oniguruma defines these for Unicode.
std::optional<CodeSet> posix_members(std::string_view name) {
  constexpr Categories kAll = (Categories{1} << kCategoryCount) - 1;
  const Categories unassigned = categories("Cn");
  if (name == "alpha" || name == "alphabetic") return alphabetic(0);
  if (name == "alnum") return alphabetic(categories("Nd"));
  if (name == "word") return alphabetic(categories("M") | categories("Nd") | categories("Pc"));
  if (name == "upper" || name == "uppercase")
    return joined(members(categories("Lu")), {kOtherUppercase, kOtherUppercaseSize});
  if (name == "lower" || name == "lowercase")
    return joined(members(categories("Ll")), {kOtherLowercase, kOtherLowercaseSize});
  if (name == "space" || name == "whitespace") {
    constexpr CodeRange kControls[] = {{0x9, 0xD}, {0x85, 0x85}};
    return joined(members(categories("Z")), kControls);
  }
  if (name == "blank") {
    constexpr CodeRange kTab[] = {{0x9, 0x9}};
    return joined(members(categories("Zs")), kTab);
  }
  if (name == "posixpunct") return members(categories("P") | categories("S"));
  if (name == "graph") return members(kAll & ~(categories("Z") | categories("Cc") | unassigned));
  if (name == "print") return members(kAll & ~(categories("Zl") | categories("Zp") | categories("Cc") | unassigned));
  if (name == "xdigit") return CodeSet{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
  if (name == "ascii") return CodeSet{{0, 0x7F}};
  if (name == "any") return members(kAll);
  if (name == "assigned") return members(kAll & ~unassigned);
  return std::nullopt;
}

std::string plain(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    result.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return result;
}

}  // namespace

std::optional<CodeSet> property_members(std::string_view name) {
  std::string key = plain(name);
  if (auto set = posix_members(key)) return set;
  if (key == "cs" || key == "surrogate") return CodeSet{};  // no character of a valid text
  if (key == "lc" || key == "casedletter") return members(categories("Lu") | categories("Ll") | categories("Lt"));
  for (const LongName& known : kLongNames) {
    if (known.name == key) return members(categories(known.category));
  }
  for (std::size_t i = 0; i < kScriptCount; ++i) {
    if (plain(kScriptNames[i]) != key) continue;
    return members(std::span(kScriptRuns, kScriptRunsSize), [&](std::uint8_t value) { return value == i; });
  }
  if (key.empty() || key.size() > 2) return std::nullopt;
  key[0] = static_cast<char>(key[0] - 'a' + 'A');
  if (const Categories found = categories(key)) return members(found);
  return std::nullopt;
}

CharacterClasses::CharacterClasses() : table_(std::make_unique<std::array<std::uint8_t, 0x110000>>()) {
  table_->fill(0);
  const auto add = [&](std::string_view name, std::uint8_t bit) {
    const CodeSet set = property_members(name).value();
    for (const CodeRange& range : set) {
      for (char32_t code = range.first; code <= range.last; ++code) (*table_)[code] |= bit;
    }
  };
  add("Space", space);
  add("L", letter);
  add("N", number);
  add("Word", word);
  (*table_)[0x200C] |= word;
  (*table_)[0x200D] |= word;
}

const CharacterClasses& CharacterClasses::get() {
  static const CharacterClasses classes;
  return classes;
}

}  // namespace sgpt
