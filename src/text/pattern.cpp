#include "text/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <vector>

#include "sgpt/error.h"
#include "text/character_class.h"

namespace sgpt {

namespace {

/// Outside of brackets \w also has these, Latin-1's numbers that are no digits: the engine looks characters below 256
/// up in another table there.
constexpr std::string_view kNumbersAmongWords = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

std::string ranges_of(const CodeSet& set) {
  std::string result;
  for (const CodeRange& range : set) {
    fmt::format_to(std::back_inserter(result), "\\x{{{:X}}}", static_cast<std::uint32_t>(range.first));
    if (range.last != range.first) {
      fmt::format_to(std::back_inserter(result), "-\\x{{{:X}}}", static_cast<std::uint32_t>(range.last));
    }
  }
  return result;
}

std::string bracketed(const std::string& ranges, bool negated) {
  if (ranges.empty()) return negated ? "[\\x{0}-\\x{10FFFF}]" : "[^\\x{0}-\\x{10FFFF}]";
  return fmt::format("{}{}]", negated ? "[^" : "[", ranges);
}

/// Goes through a pattern once, copying what is no class.
class Translation {
 public:
  explicit Translation(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) outside();
    return std::move(result_);
  }

 private:
  /// What holds until the end of a group.
  struct Options {
    bool ignore_case = false;
    bool extended = false;
  };

  /// A class that begins here, written out.
  struct Class {
    std::string ranges;
    bool negated;
    bool word;
    bool letters;
    std::size_t end;  // behind it
  };

  char at(std::size_t place) const { return place < pattern_.size() ? pattern_[place] : '\0'; }
  std::string_view rest() const { return pattern_.substr(at_); }

  void copy(std::size_t count) {
    result_ += pattern_.substr(at_, count);
    at_ = std::min(at_ + count, pattern_.size());
  }

  [[noreturn]] void refuse(std::string_view what) const {
    throw UserError(
        fmt::format("the regular expression \"{}\" has {}, which is not supported: its meaning differs "
                    "between versions of Unicode",
                    pattern_, what));
  }

  /// \s and the like, or \p{…}, at at_.
  std::optional<Class> class_here() const {
    if (at(at_) != '\\') return std::nullopt;
    switch (at(at_ + 1)) {
      case 's': return named("Space", false, at_ + 2);
      case 'S': return named("Space", true, at_ + 2);
      case 'd': return named("Nd", false, at_ + 2);
      case 'D': return named("Nd", true, at_ + 2);
      case 'w': return named("Word", false, at_ + 2);
      case 'W': return named("Word", true, at_ + 2);
      case 'p':
      case 'P': break;
      default: return std::nullopt;
    }
    if (at(at_ + 2) != '{') return std::nullopt;
    const std::size_t close = pattern_.find('}', at_);
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    bool negated = at(at_ + 1) == 'P';
    if (name.starts_with('^')) {
      name.remove_prefix(1);
      negated = !negated;
    }
    return named(name, negated, close + 1);
  }

  static bool has_letters(const CodeSet& set) {
    const auto is_letter = [](char32_t code) {
      return (CharacterClasses::get().of(code) & CharacterClasses::letter) != 0;
    };
    return std::any_of(set.begin(), set.end(), [&](const CodeRange& range) {
      for (char32_t code = range.first; code <= range.last; ++code) {
        if (is_letter(code)) return true;
      }
      return false;
    });
  }

  Class named(std::string_view name, bool negated, std::size_t end) const {
    const auto set = property_members(name);
    if (!set) refuse(fmt::format("the property \"{}\"", name));
    static const CodeSet words = property_members("Word").value();
    return {ranges_of(*set), negated, *set == words, has_letters(*set), end};
  }

  /// [:alpha:] within brackets.
  std::optional<Class> posix_class_here() const {
    static constexpr std::array<std::string_view, 14> kNames = {"alnum", "alpha",  "blank", "cntrl", "digit",
                                                                "graph", "lower",  "print", "punct", "space",
                                                                "upper", "xdigit", "ascii", "word"};
    if (!rest().starts_with("[:")) return std::nullopt;
    const bool negated = at(at_ + 2) == '^';
    const std::size_t begin = at_ + (negated ? 3 : 2);
    for (const std::string_view name : kNames) {
      const std::size_t end = begin + name.size();
      if (pattern_.substr(begin, name.size()) != name || pattern_.substr(end, 2) != ":]") continue;
      return named(name == "punct" ? "PosixPunct" : name, negated, end + 2);
    }
    return std::nullopt;
  }

  void outside() {
    if (auto found = class_here()) {
      if (found->word) found->ranges += kNumbersAmongWords;
      put_outside(bracketed(found->ranges, found->negated));
      at_ = found->end;
      return;
    }
    switch (at(at_)) {
      case '\\': return escape();
      case '[': return brackets();
      case '(': return open_group();
      case ')':
        if (groups_.size() > 1) groups_.pop_back();
        return copy(1);
      case '#':
        if (groups_.back().extended)
          return copy(rest().find('\n') == std::string_view::npos ? rest().size() : rest().find('\n'));
        return copy(1);
      default: return copy(1);
    }
  }

  /// Folding of case does not touch classes outside of brackets.
  void put_outside(const std::string& set) {
    result_ += groups_.back().ignore_case ? fmt::format("(?-i:{})", set) : set;
  }

  void escape() {
    const char what = at(at_ + 1);
    if (what == 'b' || what == 'B') {
      const std::string words = fmt::format("[{}{}]", ranges_of(property_members("Word").value()), kNumbersAmongWords);
      put_outside(what == 'b' ? fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", words)
                              : fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", words));
      at_ += 2;
      return;
    }
    if (what == 'X' || what == 'y' || what == 'Y') refuse(fmt::format("\\{}", what));
    copy(2);
  }

  void open_group() {
    if (!rest().starts_with("(?")) {
      groups_.push_back(groups_.back());
      return copy(1);
    }
    if (rest().starts_with("(?#")) {  // a comment
      std::size_t end = at_ + 3;
      while (end < pattern_.size() && pattern_[end] != ')') end += pattern_[end] == '\\' ? 2 : 1;
      return copy(std::min(end + 1, pattern_.size()) - at_);
    }
    std::size_t end = at_ + 2;
    Options options = groups_.back();
    bool on = true;
    for (; std::string_view("imxWDSPya-").find(at(end)) != std::string_view::npos && end < pattern_.size(); ++end) {
      switch (at(end)) {
        case '-': on = false; break;
        case 'i': options.ignore_case = on; break;
        case 'x': options.extended = on; break;
        case 'm': break;
        default: refuse(fmt::format("the option (?{})", at(end)));
      }
    }
    if (end > at_ + 2 && at(end) == ')') {  // to the end of the group around
      groups_.back() = options;
      return copy(end + 1 - at_);
    }
    groups_.push_back(end > at_ + 2 && at(end) == ':' ? options : groups_.back());
    copy(2);
  }

  /// Within brackets it folds case by the engine's tables, whose pairs grow with Unicode.
  void check_folding(const Class& found) const {
    if (groups_.back().ignore_case && (found.negated || found.letters)) {
      refuse("a class with letters within brackets where case is ignored");
    }
  }

  /// A whole […], with those within it.
  void brackets() {
    copy(1);
    if (at(at_) == '^') copy(1);
    if (at(at_) == ']') copy(1);  // at the begin it is a character
    bool behind_value = false;    // where a "-" makes a range
    bool range_pending = false;   // behind "a-"
    while (at_ < pattern_.size() && at(at_) != ']') {
      auto found = class_here();
      if (!found) found = posix_class_here();
      if (found && range_pending) return copy(rest().size());  // the engine says what is wrong with it
      if (found) {
        check_folding(*found);
        result_ += bracketed(found->ranges, found->negated);
        at_ = found->end;
      } else if (at(at_) == '[') {
        brackets();
      } else {
        const bool minus = at(at_) == '-';
        range_pending = minus && behind_value && !range_pending;
        behind_value = !minus && rest().substr(0, 2) != "&&";
        copy(at(at_) == '\\' ? 2 : 1);
        continue;
      }
      behind_value = range_pending = false;
    }
    copy(1);
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string result_;
  std::vector<Options> groups_ = std::vector<Options>(1);
};

}  // namespace

std::string with_own_classes(std::string_view pattern) { return Translation(pattern).run(); }

}  // namespace sgpt
