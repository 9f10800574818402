// The steps and their letters are the paper's: m is the number of vowel-consonant sequences in what stands before an
// ending. A step takes the longest of its endings that the word has, and changes it or nothing.
#include "retrieval/porter_stemmer.h"

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string_view>

namespace sgpt {
namespace {

bool is_consonant(std::string_view word, std::size_t i) {
  constexpr std::string_view kVowels = "aeiou";
  bool consonant = kVowels.find(word[i]) == std::string_view::npos;
  if (word[i] == 'y' && i > 0) consonant = !is_consonant(word, i - 1);  // "toy" has a consonant y, "syzygy" has none
  return consonant;
}

/// m of [C](VC)^m[V].
int measure(std::string_view stem) {
  int m = 0;
  bool after_vowel = false;
  for (std::size_t i = 0; i < stem.size(); ++i) {
    const bool consonant = is_consonant(stem, i);
    if (consonant && after_vowel) ++m;
    after_vowel = !consonant;
  }
  return m;
}

/// *v*
bool has_vowel(std::string_view stem) {
  for (std::size_t i = 0; i < stem.size(); ++i) {
    if (!is_consonant(stem, i)) return true;
  }
  return false;
}

/// *d
bool ends_with_double_consonant(std::string_view word) {
  const std::size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

/// *o: consonant, vowel, consonant, the last none of w, x and y ("hop", not "snow").
bool ends_with_short_syllable(std::string_view word) {
  const std::size_t n = word.size();
  if (n < 3 || !is_consonant(word, n - 3) || is_consonant(word, n - 2) || !is_consonant(word, n - 1)) return false;
  return word[n - 1] != 'w' && word[n - 1] != 'x' && word[n - 1] != 'y';
}

bool ends_with_any(std::string_view word, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return word.ends_with(ending); });
}

std::string_view before(std::string_view word, std::string_view ending) {
  return word.substr(0, word.size() - ending.size());
}

struct Rule {
  std::string_view ending;
  std::string_view replacement;
};

/// The rule with the longest ending that the word has.
const Rule* matching(std::string_view word, std::span<const Rule> rules) {
  const Rule* longest = nullptr;
  for (const Rule& rule : rules) {
    if (word.ends_with(rule.ending) && (!longest || rule.ending.size() > longest->ending.size())) longest = &rule;
  }
  return longest;
}

void replace_ending(std::string& word, const Rule& rule) {
  word.replace(word.size() - rule.ending.size(), rule.ending.size(), rule.replacement);
}

/// Plurals.
void step_1a(std::string& word) {
  constexpr Rule kRules[] = {{"sses", "ss"}, {"ies", "i"}, {"ss", "ss"}, {"s", ""}};
  if (const Rule* rule = matching(word, kRules)) replace_ending(word, *rule);
}

/// Past tenses and participles.
void step_1b(std::string& word) {
  constexpr Rule kRules[] = {{"eed", "ee"}, {"ed", ""}, {"ing", ""}};
  const Rule* rule = matching(word, kRules);
  if (!rule) return;
  const std::string_view stem = before(word, rule->ending);
  if (rule->ending == "eed") {
    if (measure(stem) > 0) replace_ending(word, *rule);
    return;
  }
  if (!has_vowel(stem)) return;
  replace_ending(word, *rule);
  if (ends_with_any(word, {"at", "bl", "iz"})) {
    word += 'e';
  } else if (ends_with_double_consonant(word) && !ends_with_any(word, {"l", "s", "z"})) {
    word.pop_back();
  } else if (measure(word) == 1 && ends_with_short_syllable(word)) {
    word += 'e';
  }
}

void step_1c(std::string& word) {
  if (word.ends_with('y') && has_vowel(before(word, "y"))) word.back() = 'i';
}

/// Double suffixes become single ones, and those of step 3 go.
void steps_2_and_3(std::string& word) {
  constexpr Rule kStep2[] = {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
                             {"izer", "ize"},    {"abli", "able"},   {"alli", "al"},     {"entli", "ent"},
                             {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
                             {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
                             {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"}};
  constexpr Rule kStep3[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                             {"ical", "ic"},  {"ful", ""},   {"ness", ""}};
  for (const std::span<const Rule> rules : {std::span<const Rule>(kStep2), std::span<const Rule>(kStep3)}) {
    const Rule* rule = matching(word, rules);
    if (rule && measure(before(word, rule->ending)) > 0) replace_ending(word, *rule);
  }
}

/// The last suffixes go.
void step_4(std::string& word) {
  constexpr Rule kRules[] = {{"al", ""},   {"ance", ""}, {"ence", ""}, {"er", ""},    {"ic", ""},
                             {"able", ""}, {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""},
                             {"ent", ""},  {"ion", ""},  {"ou", ""},   {"ism", ""},   {"ate", ""},
                             {"iti", ""},  {"ous", ""},  {"ive", ""},  {"ize", ""}};
  const Rule* rule = matching(word, kRules);
  if (!rule) return;
  const std::string_view stem = before(word, rule->ending);
  if (measure(stem) > 1 && (rule->ending != "ion" || ends_with_any(stem, {"s", "t"}))) replace_ending(word, *rule);
}

void step_5(std::string& word) {
  if (word.ends_with('e')) {
    const std::string_view stem = before(word, "e");
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_with_short_syllable(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(word) > 1) word.pop_back();
}

}  // namespace

void porter_stem(std::string& word) {
  constexpr std::size_t kTooShort = 2;
  if (word.size() <= kTooShort) return;
  if (!std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; })) return;
  step_1a(word);
  step_1b(word);
  step_1c(word);
  steps_2_and_3(word);
  step_4(word);
  step_5(word);
}

}  // namespace sgpt
