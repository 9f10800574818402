#include "text/lower_case.h"

#include <clocale>
#include <cwctype>

#include "sgpt/error.h"
#include "text/character_class.h"
#include "text/utf8.h"

namespace sgpt {
namespace {

constexpr char32_t kDottedI = 0x130;
constexpr char32_t kCombiningDot = 0x307;
constexpr char32_t kSigma = 0x3a3;
constexpr char32_t kSmallSigma = 0x3c3;
constexpr char32_t kFinalSigma = 0x3c2;

bool is_letter(char32_t code) { return (CharacterClasses::get().of(code) & CharacterClasses::letter) != 0; }

/// Whether what stands in [begin, end) ends a word: a letter before it, none behind. (Marks between are not looked
/// through, as there are none beside a capital letter in practice.)
bool ends_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin == 0 || !is_letter(previous_code_point(text, begin))) return false;
  return end == text.size() || !is_letter(next_code_point(text, end));
}

}  // namespace

// Of the C library, in the one locale that every glibc has: the user's own locale must not change a number.
char32_t lower_case(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
  static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (!unicode) throw MachineError("the C library has no locale C.UTF-8, which says what the lower case of letters is");
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(code), unicode));
}

std::string lower_case(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t code = next_code_point(text, at);
    if (code == kDottedI) {
      append_utf8(lower, 'i');
      append_utf8(lower, kCombiningDot);
    } else if (code == kSigma) {
      append_utf8(lower, ends_word(text, begin, at) ? kFinalSigma : kSmallSigma);
    } else {
      append_utf8(lower, lower_case(code));
    }
  }
  return lower;
}

}  // namespace sgpt
