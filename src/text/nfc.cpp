#include "text/nfc.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "text/nfc_tables.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

// ---- Hangul: a syllable is a leading consonant, a vowel and perhaps a trailing consonant, by arithmetic
// ----------------------------------------------------------------------------------------------------------------------

constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeading = 0x1100, kLeadingCount = 19;
constexpr char32_t kVowels = 0x1161, kVowelCount = 21;
constexpr char32_t kTrailing = 0x11A7, kTrailingCount = 28;  // the first stands for none
constexpr char32_t kSyllableCount = kLeadingCount * kVowelCount * kTrailingCount;

constexpr bool in(char32_t code, char32_t first, char32_t count) { return code >= first && code < first + count; }

/// The syllable of both; 0 when they make none.
char32_t hangul_of(char32_t first, char32_t second) {
  if (in(first, kLeading, kLeadingCount) && in(second, kVowels, kVowelCount)) {
    return kSyllables + ((first - kLeading) * kVowelCount + (second - kVowels)) * kTrailingCount;
  }
  const bool lacks_trailing = in(first, kSyllables, kSyllableCount) && (first - kSyllables) % kTrailingCount == 0;
  if (lacks_trailing && in(second, kTrailing + 1, kTrailingCount - 1)) return first + (second - kTrailing);
  return 0;
}

// ---- the tables, made fit for searching
// ----------------------------------------------------------------------------------------------------------------------

class Tables {
 public:
  static const Tables& get() {
    static const Tables tables;
    return tables;
  }

  /// A character that neither changes, nor goes before or into the one before it.
  bool is_inert(char32_t code) const { return (*kinds_)[code] == kInert; }

  std::uint8_t combining_class(char32_t code) const {
    const std::uint8_t kind = (*kinds_)[code];
    return kind == kActiveStarter ? 0 : kind;
  }

  void decompose(char32_t code, std::vector<char32_t>& parts) const {
    if (in(code, kSyllables, kSyllableCount)) {
      const char32_t place = code - kSyllables;
      parts.push_back(kLeading + place / (kVowelCount * kTrailingCount));
      parts.push_back(kVowels + place / kTrailingCount % kVowelCount);
      if (place % kTrailingCount != 0) parts.push_back(kTrailing + place % kTrailingCount);
      return;
    }
    const Decomposition* found = find(compositions_, code);
    if (!found) found = find({kOneWayDecompositions, kOneWayDecompositionsSize}, code);
    if (!found) return parts.push_back(code);
    decompose(found->first, parts);
    if (found->second != 0) parts.push_back(found->second);
  }

  /// 0 when the two stay two.
  char32_t composed(char32_t first, char32_t second) const {
    if (const char32_t syllable = hangul_of(first, second)) return syllable;
    const auto found = std::lower_bound(
        by_parts_.begin(), by_parts_.end(), std::pair(first, second),
        [](const Decomposition& entry, const auto& pair) { return std::pair(entry.first, entry.second) < pair; });
    return found != by_parts_.end() && found->first == first && found->second == second ? found->composed : 0;
  }

 private:
  static constexpr std::uint8_t kInert = 0;
  static constexpr std::uint8_t kActiveStarter = 255;  // no combining class is that high

  Tables()
      : kinds_(std::make_unique<std::array<std::uint8_t, 0x110000>>()),
        by_parts_(compositions_.begin(), compositions_.end()) {
    kinds_->fill(kInert);
    for (std::size_t i = 0; i < kCombiningRunsSize; ++i) {
      const char32_t end = i + 1 < kCombiningRunsSize ? kCombiningRuns[i + 1].first : 0x110000;
      std::fill(kinds_->begin() + kCombiningRuns[i].first, kinds_->begin() + end, kCombiningRuns[i].value);
    }
    const auto activate = [&](char32_t code) {
      if ((*kinds_)[code] == kInert) (*kinds_)[code] = kActiveStarter;
    };
    for (const Decomposition& entry : compositions_) activate(entry.second);
    for (std::size_t i = 0; i < kOneWayDecompositionsSize; ++i) activate(kOneWayDecompositions[i].composed);
    for (char32_t i = 0; i < kVowelCount; ++i) activate(kVowels + i);
    for (char32_t i = 1; i < kTrailingCount; ++i) activate(kTrailing + i);
    std::sort(by_parts_.begin(), by_parts_.end(), [](const Decomposition& a, const Decomposition& b) {
      return std::pair(a.first, a.second) < std::pair(b.first, b.second);
    });
  }

  static const Decomposition* find(std::span<const Decomposition> entries, char32_t code) {
    const auto found = std::lower_bound(entries.begin(), entries.end(), code,
                                        [](const Decomposition& entry, char32_t c) { return entry.composed < c; });
    return found != entries.end() && found->composed == code ? &*found : nullptr;
  }

  std::span<const Decomposition> compositions_{kCompositions, kCompositionsSize};
  std::unique_ptr<std::array<std::uint8_t, 0x110000>> kinds_;  // kInert, kActiveStarter, or a combining class
  std::vector<Decomposition> by_parts_;
};

/// Marks behind one starter in the order of their classes; equal ones keep theirs.
void put_in_order(const Tables& tables, std::vector<char32_t>& codes) {
  const auto is_mark = [&](char32_t code) { return tables.combining_class(code) != 0; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    begin = std::find_if(begin, codes.end(), is_mark);
    const auto end = std::find_if_not(begin, codes.end(), is_mark);
    std::stable_sort(begin, end,
                     [&](char32_t a, char32_t b) { return tables.combining_class(a) < tables.combining_class(b); });
    begin = end;
  }
}

/// Puts each character into the last starter, where they compose and none between them is in the way.
void compose(const Tables& tables, std::vector<char32_t>& codes) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t starter = kNone;
  std::size_t kept = 0;
  std::uint8_t last_class = 0;  // of what was kept last
  for (const char32_t code : codes) {
    const std::uint8_t own_class = tables.combining_class(code);
    const bool adjacent = starter != kNone && starter + 1 == kept;
    if (starter != kNone && (adjacent || last_class < own_class)) {
      if (const char32_t both = tables.composed(codes[starter], code)) {
        codes[starter] = both;
        continue;
      }
    }
    if (own_class == 0) starter = kept;
    last_class = own_class;
    codes[kept++] = code;
  }
  codes.resize(kept);
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string& buffer) {
  const Tables& tables = Tables::get();
  std::size_t done = 0;  // what is in the buffer, once anything changed
  std::size_t last = 0;  // where the character before `at` begins
  bool changed = false;
  std::vector<char32_t> codes;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at;
    const char32_t code = next_code_point(text, next);
    if (code < 0x300 || tables.is_inert(code)) {
      last = at;
      at = next;
      continue;
    }
    // From the inert character before it, which may take it up, to the next inert one.
    codes.clear();
    const std::size_t begin = last;
    std::size_t end = begin;
    while (end < text.size()) {
      std::size_t behind = end;
      const char32_t one = next_code_point(text, behind);
      if (end > at && tables.is_inert(one)) break;
      tables.decompose(one, codes);
      end = behind;
    }
    put_in_order(tables, codes);
    compose(tables, codes);
    if (!changed) buffer.clear();
    changed = true;
    buffer += text.substr(done, begin - done);
    for (const char32_t one : codes) append_utf8(buffer, one);
    done = last = at = end;
  }
  if (!changed) return text;
  buffer += text.substr(done);
  return buffer;
}

}  // namespace sgpt
