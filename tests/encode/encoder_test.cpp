// Embeddings of a tiny model: that they do not depend on company, and what becomes of odd texts and options.
#include "sgpt/encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_tiny_model;

std::vector<float> row_of(const Embeddings& embeddings, std::int64_t i) {
  const auto row = embeddings.row(i);
  return {row.begin(), row.end()};
}

std::vector<float> alone(const Encoder& encoder, const std::string& text, TextKind kind = TextKind::document) {
  return encoder.encode(std::vector{text}, kind).values;
}

/// Texts of many lengths: empty ones, words, odd Unicode, longer than the cut.
std::vector<std::string> random_texts(std::size_t count, unsigned seed) {
  static const std::vector<std::string> kPieces{"the", " and", " thing", "ing", ".", " ",   "é", "東京",
                                                "🚀",   "\n",   "[",      "}",   "x", " on", "7"};
  std::mt19937 random(seed);
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    const std::size_t pieces = random() % 5 == 0 ? random() % 200 : random() % 20;
    for (std::size_t i = 0; i < pieces; ++i) text += kPieces[random() % kPieces.size()];
  }
  return texts;
}

class EncoderOnEachBackend : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Backends, EncoderOnEachBackend, ::testing::Values("reference", "cpu"));

TEST_P(EncoderOnEachBackend, ATextHasTheSameBitsInAnyCompany) {
  for (const testing::TinyModel& tiny :
       {testing::TinyModel{}, testing::TinyModel{.hidden = 60, .layers = 1, .heads = 3}}) {
    const TempFolder folder;
    write_tiny_model(folder.path(), tiny);
    EncoderOptions options{.brackets = true, .backend = GetParam()};
    options.pooling = {PoolingMode::max, PoolingMode::mean, PoolingMode::weightedmean};
    const std::vector<std::string> texts = random_texts(60, 5);
    const Encoder plain = Encoder::load(folder.path(), options);
    std::vector<std::vector<float>> expected;
    for (const std::string& text : texts) expected.push_back(alone(plain, text));

    std::mt19937 random(1);
    for (const int threads : {1, 2}) {
      for (const std::int64_t budget : {1, 70, 500, 100000}) {
        options.threads = threads;
        options.token_budget = budget;
        const Encoder encoder = Encoder::load(folder.path(), options);
        std::vector<std::size_t> order(texts.size());
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), random);
        std::vector<std::string> shuffled;
        for (const std::size_t i : order) shuffled.push_back(texts[i]);
        const Embeddings together = encoder.encode_documents(shuffled);
        for (std::size_t i = 0; i < order.size(); ++i) {
          ASSERT_EQ(row_of(together, static_cast<std::int64_t>(i)), expected[order[i]])
              << threads << " threads, budget " << budget << ", text: " << shuffled[i];
        }
      }
    }
  }
}

TEST_P(EncoderOnEachBackend, SeveralThreadsMayEncodeAtOnce) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  const Encoder encoder = Encoder::load(folder.path(), {.brackets = true, .threads = 1, .backend = GetParam()});
  const std::vector<std::string> texts = random_texts(40, 9);
  const std::vector<float> expected = encoder.encode_queries(texts).values;
  std::vector<std::vector<float>> found(4);
  {
    std::vector<std::jthread> callers;
    for (auto& values : found) callers.emplace_back([&] { values = encoder.encode_queries(texts).values; });
  }
  for (const auto& values : found) EXPECT_EQ(values, expected);
}

TEST(Encoder, PoolingModesStandInTheOrderOfSentenceTransformers) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  const std::string text = "the thing on and on";
  std::vector<float> expected;
  for (const PoolingMode mode : {PoolingMode::cls, PoolingMode::mean, PoolingMode::lasttoken}) {
    const auto part = alone(Encoder::load(folder.path(), {.brackets = true, .pooling = {mode}}), text);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  const Encoder all = Encoder::load(
      folder.path(), {.brackets = true, .pooling = {PoolingMode::lasttoken, PoolingMode::cls, PoolingMode::mean}});
  EXPECT_EQ(all.dimension(), 3 * 32);
  EXPECT_EQ(alone(all, text), expected);
}

TEST(Encoder, NormalizesWhenAskedToOrWhenTheFolderSays) {
  const TempFolder folder;
  write_tiny_model(folder / "plain");
  write_tiny_model(folder / "normalizing", {.normalize = true});
  const auto length = [](const std::vector<float>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  EXPECT_GT(std::abs(length(alone(Encoder::load(folder / "plain"), "the")) - 1), 0.01);
  EXPECT_NEAR(length(alone(Encoder::load(folder / "plain", {.normalize = true}), "the")), 1, 1e-6);
  EXPECT_NEAR(length(alone(Encoder::load(folder / "normalizing"), "the")), 1, 1e-6);
}

TEST(Encoder, SaysWhatItDecided) {
  const TempFolder folder;
  write_tiny_model(folder.path(), {.max_seq_length = 17, .pooling = "mean"});
  const Encoder encoder = Encoder::load(folder.path());
  EXPECT_EQ(encoder.options().brackets, false);
  EXPECT_EQ(encoder.options().normalize, false);
  EXPECT_EQ(encoder.options().max_seq_length, 17);
  EXPECT_THAT(encoder.options().pooling, ::testing::ElementsAre(PoolingMode::mean));
  EXPECT_GT(encoder.options().token_budget, 0);
  EXPECT_EQ(encoder.dimension(), 32);
}

TEST(Encoder, QueriesAndDocumentsDifferByTheirBracketsAlone) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  const Encoder bracketed = Encoder::load(folder.path(), {.brackets = true});
  EXPECT_NE(alone(bracketed, "the", TextKind::query), alone(bracketed, "the", TextKind::document));
  const Encoder plain = Encoder::load(folder.path(), {.brackets = false});
  EXPECT_EQ(alone(plain, "the", TextKind::query), alone(plain, "the", TextKind::document));
}

TEST(Encoder, ATextWithoutTokensIsAVectorOfZeros) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  for (const bool normalize : {false, true}) {
    const Encoder encoder = Encoder::load(folder.path(), {.brackets = false, .normalize = normalize});
    const Embeddings embeddings = encoder.encode_queries(std::vector<std::string>{"", "the", " \n"});
    EXPECT_EQ(row_of(embeddings, 0), std::vector<float>(32, 0.0f));
    EXPECT_EQ(row_of(embeddings, 1), alone(encoder, "the"));
    EXPECT_EQ(row_of(embeddings, 2), std::vector<float>(32, 0.0f));
  }
  EXPECT_EQ(Encoder::load(folder.path()).encode_queries({}).rows, 0);
}

TEST(Encoder, TakesATextOfAMillionCharacters) {
  const TempFolder folder;
  write_tiny_model(folder.path(), {.max_seq_length = 20});
  const Encoder encoder = Encoder::load(folder.path(), {.brackets = true});
  std::string text;
  while (text.size() < 1'000'000) text += "the thing and ";
  EXPECT_EQ(alone(encoder, text), alone(encoder, text.substr(0, 200)));
}

TEST(Encoder, NeverLetsANumberOutThatIsNotFinite) {
  const TempFolder folder;
  write_tiny_model(folder.path(), {.change = [](std::string_view name, std::vector<float>& values) {
                     if (name == "ln_f.weight") std::fill(values.begin(), values.end(), 3e38f);
                   }});
  const Encoder encoder = Encoder::load(folder.path());
  try {
    encoder.encode_queries(std::vector<std::string>{"the thing"});
    FAIL() << "infinite embeddings were accepted";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("not finite"));
  }
}

TEST(Encoder, RefusesOptionsThatMakeNoSense) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  EXPECT_THROW(Encoder::load(folder.path(), {.token_budget = -1}), UserError);
  EXPECT_THROW(Encoder::load(folder.path(), {.threads = -1}), UserError);
  EXPECT_THROW(Encoder::load(folder.path(), {.backend = "abacus"}), UserError);
  EXPECT_THROW(Encoder::load(folder / "nowhere"), UserError);
}

TEST(Encoder, RefusesABudgetThatNoMemoryHolds) {
  const TempFolder folder;
  write_tiny_model(folder.path());
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t budget : {most, most / 6, most / (6 * 32) + 1, most / 4}) {
    try {
      Encoder::load(folder.path(), {.token_budget = budget});
      FAIL() << budget;
    } catch (const MachineError& error) {
      EXPECT_THAT(error.what(), HasSubstr("use a smaller --token_budget"));
    }
  }
}

TEST(Encoder, LoadsAPlainCheckpoint) {
  const TempFolder folder;
  write_tiny_model(folder / "plain", {.modules = false, .prefix = "transformer."});
  write_tiny_model(folder / "modules");
  EXPECT_EQ(alone(Encoder::load(folder / "plain"), "the thing"), alone(Encoder::load(folder / "modules"), "the thing"));
}

}  // namespace
}  // namespace sgpt
