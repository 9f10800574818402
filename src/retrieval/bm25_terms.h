// What BM25 counts: a text's words in lower case, without stop words, each by its stem.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sgpt {

enum class Stemming : std::uint8_t { none, porter };
enum class StopWords : std::uint8_t {
  none,
  english
};  ///< the 33 of Lucene, and so of Elasticsearch's English analyzer

struct TermOptions {
  Stemming stemming = Stemming::porter;
  StopWords stop_words = StopWords::english;
};

/// Calls `take` with each word of a text (valid UTF-8) in its order: a run of letters, digits, marks and underscores,
/// lower-cased by Unicode's simple mapping. Of Chinese and Japanese, which put no spaces, each character is a word.
/// The view is valid during the call.
void for_each_word(std::string_view text, const std::function<void(std::string_view word)>& take);

/// The term that a word counts as; "" for a stop word.
std::string term_of(std::string_view word, const TermOptions& options);

}  // namespace sgpt
