// The trainer against a naive one that counts all pairs anew at each step, and the tokenizers it makes.
#include "text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <map>

#include "sgpt/error.h"
#include "support.h"
#include "text/pre_tokenizer.h"

namespace sgpt {
namespace {

TrainedBpe train(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  BpeTrainer trainer(options);
  for (const std::string& text : texts) trainer.add(text);
  return trainer.train([](std::int64_t) {});
}

/// Texts of few letters, so that words repeat and counts tie.
std::vector<std::string> repetitive_texts(std::uint64_t seed) {
  Random random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (std::uint32_t c = 0; c < 1 + random.below(60); ++c) text.push_back("abbcc  e"[random.below(8)]);
    texts.push_back(text);
  }
  return texts;
}

using Symbols = std::vector<std::string>;

/// The most frequent pair of adjacent symbols; of equals the one of lowest ids.
std::pair<std::string, std::string> best_pair(const std::map<Symbols, int>& words,
                                              const std::map<std::string, std::size_t>& ids) {
  std::map<std::pair<std::size_t, std::size_t>, std::pair<int, std::pair<std::string, std::string>>> counts;
  for (const auto& [symbols, count] : words) {
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      auto& entry = counts[{ids.at(symbols[i]), ids.at(symbols[i + 1])}];
      entry.first += count;
      entry.second = {symbols[i], symbols[i + 1]};
    }
  }
  int most = 0;
  std::pair<std::string, std::string> best;
  for (const auto& [pair, entry] : counts) {
    if (entry.first > most) std::tie(most, best) = entry;
  }
  return best;
}

std::map<Symbols, int> joined(const std::map<Symbols, int>& words, const std::pair<std::string, std::string>& pair) {
  std::map<Symbols, int> result;
  for (const auto& [symbols, count] : words) {
    Symbols after;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool joins = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      after.push_back(joins ? symbols[i] + symbols[i + 1] : symbols[i]);
      i += joins;
    }
    result[after] += count;
  }
  return result;
}

TEST(BpeTrainer, MakesTheMergesOfTheNaiveTrainer) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto texts = repetitive_texts(seed);
    const TrainedBpe trained = train(texts, {.vocab_size = 320});
    ASSERT_GT(trained.merges.size(), 20u);

    std::map<Symbols, int> words;
    for (const std::string& text : texts) {
      PreTokenizer::bloom().for_each_word(text, [&](std::string_view word) {
        Symbols symbols;
        for (const char c : word) symbols.push_back(letters_of({&c, 1}));
        ++words[symbols];
        return true;
      });
    }
    std::map<std::string, std::size_t> ids;
    for (std::size_t id = 0; id < 260; ++id) ids[trained.tokens[id]] = id;
    for (const auto& [left, right] : trained.merges) {
      const auto expected = best_pair(words, ids);
      ASSERT_EQ(trained.tokens[left], expected.first);
      ASSERT_EQ(trained.tokens[right], expected.second);
      words = joined(words, expected);
      ids.emplace(expected.first + expected.second, ids.size());
    }
  }
}

TEST(BpeTrainer, StartsWithSpecialTokensAndBytes) {
  const TrainedBpe trained = train({}, {.vocab_size = 300});
  ASSERT_EQ(trained.tokens.size(), 260u);
  EXPECT_EQ(trained.tokens[0], "<unk>");
  EXPECT_EQ(trained.tokens[3], "<pad>");
  EXPECT_EQ(trained.tokens[4], "!");
  EXPECT_EQ(trained.tokens[4 + 94], "¡");
  EXPECT_EQ(trained.tokens[4 + 188], "Ā");
  EXPECT_EQ(trained.tokens[224], "Ġ");
  EXPECT_TRUE(trained.merges.empty());
}

TEST(BpeTrainer, TheFileLoadsAndTextsComeBack) {
  Random random(10);
  std::vector<std::string> texts = repetitive_texts(11);
  const std::size_t repetitive = texts.size();
  for (int i = 0; i < 50; ++i) texts.push_back(testing::random_text(random, 40));
  const testing::TemporaryFile file(tokenizer_json(train(texts, {.vocab_size = 500})));
  const Tokenizer tokenizer = Tokenizer::load(file.path());
  EXPECT_EQ(tokenizer.vocab_size(), 500);
  EXPECT_EQ(tokenizer.token_to_id("</s>"), 2);
  std::size_t bytes = 0;
  std::size_t ids = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto encoded = tokenizer.encode(texts[i]);
    ASSERT_EQ(tokenizer.decode(encoded), texts[i]);
    if (i >= repetitive) continue;
    bytes += texts[i].size();
    ids += encoded.size();
  }
  EXPECT_LT(ids, bytes * 2 / 3);
}

TEST(BpeTrainer, TheSameTextsGiveTheSameFile) {
  const auto texts = repetitive_texts(12);
  EXPECT_EQ(tokenizer_json(train(texts, {.vocab_size = 400})), tokenizer_json(train(texts, {.vocab_size = 400})));
}

TEST(BpeTrainer, RarePairsAreNotJoined) {
  const TrainedBpe trained = train({"ab ab ab", "cd"}, {.vocab_size = 1000, .min_frequency = 2});
  for (const auto& [left, right] : trained.merges) EXPECT_NE(trained.tokens[left] + trained.tokens[right], "cd");
  EXPECT_FALSE(trained.merges.empty());
}

TEST(BpeTrainer, ImpossibleSizesAndTextsAreRefused) {
  EXPECT_THROW(BpeTrainer({.vocab_size = 259}), UserError);
  EXPECT_THROW(BpeTrainer({.vocab_size = std::int64_t{1} << 40}), UserError);
  EXPECT_THROW(BpeTrainer({.vocab_size = -1}), UserError);
  BpeTrainer trainer({.vocab_size = 300});
  EXPECT_THROW(trainer.add("a\xFF"), UserError);
}

}  // namespace
}  // namespace sgpt
