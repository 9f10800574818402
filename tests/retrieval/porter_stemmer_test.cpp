// The examples of Porter's paper, rule by rule, followed through all steps.
#include "retrieval/porter_stemmer.h"

#include <gtest/gtest.h>

namespace sgpt::testing {
namespace {

std::string stem(std::string word) {
  porter_stem(word);
  return word;
}

TEST(PorterStemmer, StemsThePapersExamples) {
  const std::pair<const char*, const char*> examples[] = {{"caresses", "caress"},
                                                          {"ponies", "poni"},
                                                          {"ties", "ti"},
                                                          {"caress", "caress"},
                                                          {"cats", "cat"},
                                                          {"feed", "feed"},
                                                          {"agreed", "agre"},
                                                          {"plastered", "plaster"},
                                                          {"bled", "bled"},
                                                          {"motoring", "motor"},
                                                          {"sing", "sing"},
                                                          {"conflated", "conflat"},
                                                          {"troubled", "troubl"},
                                                          {"sized", "size"},
                                                          {"hopping", "hop"},
                                                          {"tanned", "tan"},
                                                          {"falling", "fall"},
                                                          {"hissing", "hiss"},
                                                          {"fizzed", "fizz"},
                                                          {"failing", "fail"},
                                                          {"filing", "file"},
                                                          {"happy", "happi"},
                                                          {"sky", "sky"},
                                                          {"relational", "relat"},
                                                          {"conditional", "condit"},
                                                          {"rational", "ration"},
                                                          {"valenci", "valenc"},
                                                          {"digitizer", "digit"},
                                                          {"conformabli", "conform"},
                                                          {"radicalli", "radic"},
                                                          {"differentli", "differ"},
                                                          {"vileli", "vile"},
                                                          {"analogousli", "analog"},
                                                          {"vietnamization", "vietnam"},
                                                          {"predication", "predic"},
                                                          {"operator", "oper"},
                                                          {"feudalism", "feudal"},
                                                          {"decisiveness", "decis"},
                                                          {"hopefulness", "hope"},
                                                          {"callousness", "callous"},
                                                          {"formaliti", "formal"},
                                                          {"sensitiviti", "sensit"},
                                                          {"sensibiliti", "sensibl"},
                                                          {"triplicate", "triplic"},
                                                          {"formative", "form"},
                                                          {"formalize", "formal"},
                                                          {"electriciti", "electr"},
                                                          {"electrical", "electr"},
                                                          {"hopeful", "hope"},
                                                          {"goodness", "good"},
                                                          {"revival", "reviv"},
                                                          {"allowance", "allow"},
                                                          {"inference", "infer"},
                                                          {"airliner", "airlin"},
                                                          {"gyroscopic", "gyroscop"},
                                                          {"adjustable", "adjust"},
                                                          {"defensible", "defens"},
                                                          {"irritant", "irrit"},
                                                          {"replacement", "replac"},
                                                          {"adjustment", "adjust"},
                                                          {"dependent", "depend"},
                                                          {"adoption", "adopt"},
                                                          {"homologou", "homolog"},
                                                          {"communism", "commun"},
                                                          {"activate", "activ"},
                                                          {"angulariti", "angular"},
                                                          {"homologous", "homolog"},
                                                          {"effective", "effect"},
                                                          {"bowdlerize", "bowdler"},
                                                          {"probate", "probat"},
                                                          {"rate", "rate"},
                                                          {"cease", "ceas"},
                                                          {"controll", "control"},
                                                          {"roll", "roll"},
                                                          {"generalizations", "gener"},
                                                          {"oscillators", "oscil"}};
  for (const auto& [word, expected] : examples) EXPECT_EQ(stem(word), expected) << word;
}

TEST(PorterStemmer, LeavesShortAndForeignWords) {
  for (const char* word : {"", "s", "as", "is", "naïves", "x15s", "вопросы"}) EXPECT_EQ(stem(word), word);
}

}  // namespace
}  // namespace sgpt::testing
