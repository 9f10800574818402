#include "text/word_scanner.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "text/character_class.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

// ---- BLOOM
// -----------------------------------------------------------------------------------------------------------

/// White space, parentheses, the bar, and the sentence marks of several scripts end a word.
bool ends_bloom_word(char32_t code) {
  switch (code) {
    case U'(':
    case U')':
    case U'|':
    case U'.':
    case U',':
    case U'!':
    case U'?':
    case U'…':
    case U'。':
    case U'，':
    case U'、':
    case U'।':
    case U'۔':
    case U'،': return true;
    default: return CharacterClasses::get().is_space(code);
  }
}

/// For bytes below 128; the others need their code point.
const std::array<bool, 128>& ascii_ends_bloom_word() {
  static const std::array<bool, 128> table = [] {
    std::array<bool, 128> ends{};
    for (char32_t code = 0; code < 128; ++code) ends[code] = ends_bloom_word(code);
    return ends;
  }();
  return table;
}

/// The end of the run of word characters that begins at `at`; `at` itself when there is none.
std::size_t bloom_run_end(std::string_view text, std::size_t at, const std::array<bool, 128>& ascii) {
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 128) {
      if (ascii[byte]) return at;
      ++at;
      continue;
    }
    std::size_t next = at;
    if (ends_bloom_word(next_code_point(text, next))) return at;
    at = next;
  }
  return at;
}

// ---- GPT-2
// -----------------------------------------------------------------------------------------------------------

/// The length of the English contraction ('s, 't, 're, …) at the begin of `text`, or 0.
std::size_t contraction(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd': return 2;
    case 'r':
    case 'v': return text.size() > 2 && text[2] == 'e' ? 3 : 0;
    case 'l': return text.size() > 2 && text[2] == 'l' ? 3 : 0;
    default: return 0;
  }
}

/// A text as runs of letters, of numbers, of white space and of other characters.
class KindRuns {
 protected:
  explicit KindRuns(std::string_view text) : text_(text), classes_(CharacterClasses::get()) {}

  static constexpr std::uint8_t kKinds = CharacterClasses::space | CharacterClasses::letter | CharacterClasses::number;
  static constexpr std::uint8_t kOther = 0;

  /// The kind of the character at `at`, which is moved past it.
  std::uint8_t kind_past(std::size_t& at) const { return classes_.of(next_code_point(text_, at)) & kKinds; }

  std::size_t run_end(std::size_t at, std::uint8_t kind) const {
    while (at < text_.size()) {
      std::size_t next = at;
      if (kind_past(next) != kind) return at;
      at = next;
    }
    return at;
  }

  /// The end of the white space [at, end) without its last character, which goes with the word behind; at the end of
  /// the text there is none, and a single one stands alone.
  std::size_t end_but_last(std::size_t at, std::size_t end) const {
    if (end == text_.size()) return end;
    std::size_t last = end;
    previous_code_point(text_, last);
    return last > at ? last : end;
  }

  std::string_view text_;
  const CharacterClasses& classes_;
};

class Gpt2Scanner : KindRuns {
 public:
  explicit Gpt2Scanner(std::string_view text) : KindRuns(text) {}

  /// The end of the word that begins at `at` (before the end of the text).
  std::size_t word_end(std::size_t at) const {
    if (const std::size_t length = contraction(text_.substr(at))) return at + length;
    const std::size_t body = text_[at] == ' ' ? at + 1 : at;
    if (body < text_.size()) {
      std::size_t behind = body;
      const std::uint8_t kind = kind_past(behind);
      if (kind != CharacterClasses::space) return run_end(behind, kind);
    }
    return end_but_last(at, run_end(at, CharacterClasses::space));
  }
};

// ---- Llama 3 and Qwen
// -----------------------------------------------------------------------------------------------------------

/// As contraction(), of either case. 's' has a third form, the long s (U+017F).
std::size_t any_case_contraction(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  if (text.substr(1).starts_with("\u017F")) return 3;
  const auto lower = [&](std::size_t i) { return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0'; };
  switch (lower(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return 2;
    case 'r':
    case 'v': return lower(2) == 'e' ? 3 : 0;
    case 'l': return lower(2) == 'l' ? 3 : 0;
    default: return 0;
  }
}

/// The two patterns differ in how many digits make a word.
class Llama3Scanner : KindRuns {
 public:
  Llama3Scanner(std::string_view text, int most_digits) : KindRuns(text), most_digits_(most_digits) {}

  /// The end of the word that begins at `at` (before the end of the text).
  std::size_t word_end(std::size_t at) const {
    if (const std::size_t length = any_case_contraction(text_.substr(at))) return at + length;
    std::size_t behind = at;
    const std::uint8_t kind = kind_past(behind);
    if (kind == CharacterClasses::letter) return run_end(behind, kind);
    if (kind == CharacterClasses::number) return digits_end(behind);
    std::size_t second = behind;
    const std::uint8_t next_kind = behind < text_.size() ? kind_past(second) : std::uint8_t{CharacterClasses::space};
    if (next_kind == CharacterClasses::letter && !is_newline(at)) return run_end(second, next_kind);
    if (kind == kOther) return newlines_end(run_end(behind, kOther));
    if (text_[at] == ' ' && next_kind == kOther) return newlines_end(run_end(second, kOther));
    return space_end(at);
  }

 private:
  bool is_newline(std::size_t at) const { return text_[at] == '\n' || text_[at] == '\r'; }

  std::size_t digits_end(std::size_t at) const {
    for (int digits = 1; digits < most_digits_ && at < text_.size(); ++digits) {
      std::size_t next = at;
      if (kind_past(next) != CharacterClasses::number) break;
      at = next;
    }
    return at;
  }

  std::size_t newlines_end(std::size_t at) const {
    while (at < text_.size() && is_newline(at)) ++at;
    return at;
  }

  /// White space: up to its last line break; without one, all of it but the last character, as in GPT-2's.
  std::size_t space_end(std::size_t at) const {
    const std::size_t end = run_end(at, CharacterClasses::space);
    for (std::size_t behind = end; behind > at; --behind) {
      if (is_newline(behind - 1)) return behind;
    }
    return end_but_last(at, end);
  }

  int most_digits_;
};

template <class Scanner>
bool scan(const Scanner& scanner, std::string_view text, FunctionRef<bool(std::string_view)> word) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = scanner.word_end(at);
    if (!word(text.substr(at, end - at))) return false;
    at = end;
  }
  return true;
}

}  // namespace

bool scan_bloom_words(std::string_view text, FunctionRef<bool(std::string_view)> word) {
  const auto& ascii = ascii_ends_bloom_word();
  std::size_t gap = 0;  // where the stretch without a match began
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t body = text[at] == ' ' ? at + 1 : at;
    const std::size_t end = bloom_run_end(text, body, ascii);
    if (end == body) {
      at += utf8_length(static_cast<unsigned char>(text[at]));
      continue;
    }
    if (gap < at && !word(text.substr(gap, at - gap))) return false;
    if (!word(text.substr(at, end - at))) return false;
    gap = at = end;
  }
  return gap == text.size() || word(text.substr(gap));
}

bool scan_gpt2_words(std::string_view text, FunctionRef<bool(std::string_view)> word) {
  return scan(Gpt2Scanner(text), text, word);
}

bool scan_llama3_words(std::string_view text, FunctionRef<bool(std::string_view)> word) {
  return scan(Llama3Scanner(text, 3), text, word);
}

bool scan_qwen_words(std::string_view text, FunctionRef<bool(std::string_view)> word) {
  return scan(Llama3Scanner(text, 1), text, word);
}

}  // namespace sgpt
