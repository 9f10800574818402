// BPE against the definition, spelled out: join the leftmost pair of lowest rank until there is none.
#include "text/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace sgpt {
namespace {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

/// A random byte-level model over the letters a to d, and what a naive encoder needs.
struct RandomModel {
  BpeModel model;
  std::map<Pair, MergeRule> rules;

  RandomModel(Random& random, std::size_t merges) {
    std::vector<std::string> tokens = {"a", "b", "c", "d"};
    for (std::uint32_t id = 0; id < 4; ++id) model.vocabulary.add(tokens[id], id);
    for (std::uint32_t rank = 0; rank < merges; ++rank) {
      const std::uint32_t left = random.below(static_cast<std::uint32_t>(tokens.size()));
      const std::uint32_t right = random.below(static_cast<std::uint32_t>(tokens.size()));
      const std::string joined = tokens[left] + tokens[right];
      auto result = static_cast<std::uint32_t>(tokens.size());
      if (model.vocabulary.add(joined, result) == Vocabulary::Added::yes) {
        tokens.push_back(joined);
      } else {
        result = *model.vocabulary.id_of(joined);
      }
      rules[{left, right}] = {rank, result};
      *model.merges.insert(pair_key(left, right), {}).first = {rank, result};
    }
  }
};

std::vector<std::int32_t> naive(const std::map<Pair, MergeRule>& rules, std::string_view word) {
  std::vector<std::uint32_t> symbols;
  for (const char c : word) symbols.push_back(static_cast<std::uint32_t>(c - 'a'));
  for (;;) {
    MergeRule best;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto rule = rules.find({symbols[i], symbols[i + 1]});
      if (rule != rules.end() && rule->second.rank < best.rank) {
        best = rule->second;
        place = i;
      }
    }
    if (best.rank == MergeRule{}.rank) return {symbols.begin(), symbols.end()};
    symbols[place] = best.result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

std::string random_word(Random& random, std::size_t length) {
  std::string word;
  for (std::size_t i = 0; i < length; ++i) word.push_back(static_cast<char>('a' + random.below(4)));
  return word;
}

TEST(Bpe, EqualsTheDefinitionForWordsShortAndLong) {
  Random random(3);
  for (int round = 0; round < 60; ++round) {
    RandomModel made(random, 1 + random.below(60));
    const auto rules = made.rules;
    const Bpe bpe(std::move(made.model));
    Bpe::Workspace workspace;
    for (int i = 0; i < 40; ++i) {
      const std::string word = random_word(random, 1 + random.below(i % 4 == 0 ? 300 : 60));
      const auto expected = naive(rules, word);
      for (int again = 0; again < 2; ++again) {  // worked out, then from the cache
        const auto ids = bpe.ids_of(word, workspace);
        ASSERT_EQ(std::vector<std::int32_t>(ids.begin(), ids.end()), expected) << word;
      }
    }
  }
}

TEST(Bpe, TheCacheNeverChangesAResult) {
  Random random(4);
  RandomModel made(random, 200);
  const auto rules = made.rules;
  const Bpe bpe(std::move(made.model));
  Bpe::Workspace workspace;
  for (int i = 0; i < 120000; ++i) {  // far more words than it holds
    const std::string word = random_word(random, 6 + random.below(6));
    const auto ids = bpe.ids_of(word, workspace);
    if (i % 50 == 0) {
      ASSERT_EQ(std::vector<std::int32_t>(ids.begin(), ids.end()), naive(rules, word));
    }
  }
}

TEST(Bpe, MergesCanBeIgnoredForWholeWords) {
  BpeModel model;
  for (const auto& [token, id] : {std::pair("a", 0u), {"b", 1u}, {"ab", 2u}}) model.vocabulary.add(token, id);
  model.ignore_merges = true;
  const Bpe bpe(std::move(model));
  Bpe::Workspace workspace;
  const auto ids_of = [&](std::string_view word) {
    const auto ids = bpe.ids_of(word, workspace);
    return std::vector<std::int32_t>(ids.begin(), ids.end());
  };
  EXPECT_EQ(ids_of("ab"), (std::vector<std::int32_t>{2}));
  EXPECT_EQ(ids_of("abz"), (std::vector<std::int32_t>{0, 1}));  // z is no token
}

TEST(Vocabulary, SaysWhichIsTaken) {
  Vocabulary vocabulary;
  EXPECT_EQ(vocabulary.add("one", 7), Vocabulary::Added::yes);
  EXPECT_EQ(vocabulary.add("one", 8), Vocabulary::Added::token_is_taken);
  EXPECT_EQ(vocabulary.add("two", 7), Vocabulary::Added::id_is_taken);
  EXPECT_EQ(vocabulary.add("", 2), Vocabulary::Added::yes);
  EXPECT_EQ(vocabulary.id_end(), 8u);
  EXPECT_EQ(vocabulary.token_of(7), "one");
  EXPECT_EQ(vocabulary.token_of(2), "");
  EXPECT_EQ(vocabulary.token_of(3), std::nullopt);
  EXPECT_EQ(vocabulary.token_of(8), std::nullopt);
  EXPECT_EQ(vocabulary.id_of("two"), std::nullopt);
}

}  // namespace
}  // namespace sgpt
