// The probabilities of tokens: a block of the vocabulary at a time gives what a plain softmax gives, for every row
// alone.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "model/decoder.h"
#include "model/family_models.h"
#include "model/language_head.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using testing::TempFolder;

constexpr std::int64_t kHidden = 24;

struct Rows {
  std::vector<float> values;
  std::vector<std::int32_t> targets;
  ConstMatrix matrix() const { return {values.data(), std::ssize(targets), kHidden}; }
};

Rows random_rows(std::int64_t count) {
  std::mt19937 random(3);
  Rows rows;
  for (std::int64_t i = 0; i < count * kHidden; ++i) {
    rows.values.push_back(static_cast<float>(random() >> 8) * 0x1p-21f - 4.0f);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    rows.targets.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(testing::tiny_vocabulary())));
  }
  return rows;
}

/// In double, of all rows at once.
double plain_softmax(const Rows& rows, std::int64_t row, ConstMatrix weight) {
  std::vector<double> logits;
  double largest = -1e300;
  for (std::int64_t v = 0; v < weight.rows; ++v) {
    double logit = 0;
    for (std::int64_t k = 0; k < kHidden; ++k) {
      logit += static_cast<double>(float_at(rows.matrix(), row, k)) * static_cast<double>(float_at(weight, v, k));
    }
    logits.push_back(logit);
    largest = std::max(largest, logit);
  }
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return logits[static_cast<std::size_t>(rows.targets[static_cast<std::size_t>(row)])] - largest - std::log(sum);
}

class LanguageHeads : public ::testing::TestWithParam<const char*> {
 protected:
  TempFolder temp_;
  std::filesystem::path folder_ =
      testing::write_family_model(temp_ / "model", testing::tiny_architecture("gpt_neo", kHidden, 1, 2));
  Checkpoint checkpoint_ = Checkpoint::open(folder_);
  Architecture config_ = read_architecture(folder_ / "config.json");
  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
  Arena arena_{backend_->memory()};

  LanguageHead head(std::int64_t rows = 0, std::int64_t block = LanguageHead::kBlock) {
    return LanguageHead(*backend_, checkpoint_, config_, folder_ / "config.json", rows, block);
  }
};

TEST_P(LanguageHeads, BlocksOfAnySizeGiveAPlainSoftmax) {
  const Rows rows = random_rows(9);
  const ConstMatrix weight = checkpoint_.find("wte.weight")->matrix();
  for (const std::int64_t block : {std::int64_t{1}, std::int64_t{7}, std::int64_t{64}, LanguageHead::kBlock}) {
    const auto found = head(0, block).log_probabilities(rows.matrix(), rows.targets, arena_);
    for (std::int64_t i = 0; i < 9; ++i) {
      EXPECT_NEAR(found[static_cast<std::size_t>(i)], plain_softmax(rows, i, weight), 1e-4) << block;
    }
  }
}

TEST_P(LanguageHeads, ARowHasItsBitsAlone) {
  const Rows rows = random_rows(70);
  const LanguageHead whole = head();
  const auto together = whole.log_probabilities(rows.matrix(), rows.targets, arena_);
  for (std::size_t i = 0; i < 70; i += 23) {
    const ConstMatrix one = rows.matrix().slice(static_cast<std::int64_t>(i), 1);
    EXPECT_EQ(whole.log_probabilities(one, {&rows.targets[i], 1}, arena_).front(), together[i]);
  }
}

TEST_P(LanguageHeads, TheFirstRowsAloneMakeTheSoftmaxWhereThatIsAsked) {
  const Rows rows = random_rows(1);
  const std::int32_t target = 5;
  const ConstMatrix weight = checkpoint_.find("wte.weight")->matrix();
  Rows asked = rows;
  asked.targets = {target};
  const double expected = plain_softmax(asked, 0, weight.slice(0, 100));
  EXPECT_NEAR(head(100, 64).log_probabilities(asked.matrix(), asked.targets, arena_).front(), expected, 1e-4);
  EXPECT_THROW(head(config_.vocabulary + 1), UserError);
}

INSTANTIATE_TEST_SUITE_P(Backends, LanguageHeads, ::testing::Values("reference", "cpu"));

TEST(LanguageHeadTest, AHeadOfItsOwnIsMissed) {
  const TempFolder temp;
  const auto folder = testing::write_family_model(temp / "model", testing::tiny_architecture("gptj", 32, 1, 4));
  const Checkpoint checkpoint = Checkpoint::open(folder);
  const auto backend = make_backend("cpu");
  try {
    LanguageHead(*backend, checkpoint, read_architecture(folder / "config.json"), folder / "config.json");
    FAIL() << "expected a UserError";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("the weights have no lm_head.weight"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace sgpt
