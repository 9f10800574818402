#include "retrieval/bm25_terms.h"

#include <algorithm>
#include <array>

#include "retrieval/porter_stemmer.h"
#include "text/character_class.h"
#include "text/lower_case.h"
#include "text/utf8.h"

namespace sgpt {
namespace {

constexpr std::array<std::string_view, 33> kStopWords{
    "a",   "an",    "and",  "are",   "as",    "at",   "be",   "but", "by",  "for",  "if",
    "in",  "into",  "is",   "it",    "no",    "not",  "of",   "on",  "or",  "such", "that",
    "the", "their", "then", "there", "these", "they", "this", "to",  "was", "will", "with"};
static_assert(std::is_sorted(kStopWords.begin(), kStopWords.end()));

/// Han characters and the two kana.
bool is_word_by_itself(char32_t code) {
  return (code >= 0x3040 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x9FFF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x3FFFF);
}

}  // namespace

void for_each_word(std::string_view text, const std::function<void(std::string_view word)>& take) {
  const CharacterClasses& classes = CharacterClasses::get();
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) take(word);
    word.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (!classes.is_word(code)) {
      end_word();
    } else if (is_word_by_itself(code)) {
      end_word();
      append_utf8(word, code);
      end_word();
    } else {
      append_utf8(word, lower_case(code));
    }
  }
  end_word();
}

std::string term_of(std::string_view word, const TermOptions& options) {
  if (options.stop_words == StopWords::english && std::binary_search(kStopWords.begin(), kStopWords.end(), word)) {
    return {};
  }
  std::string term(word);
  if (options.stemming == Stemming::porter) porter_stem(term);
  return term;
}

}  // namespace sgpt
