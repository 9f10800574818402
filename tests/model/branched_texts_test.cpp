// Texts that share a beginning have the hidden states that each has by itself, whoever shares it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "model/branched_texts.h"
#include "model/decoder.h"
#include "model/family_models.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using testing::TempFolder;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t kHidden = 32;

class BranchedTextsOf : public ::testing::TestWithParam<std::string> {
 protected:
  std::vector<float> rows(const Decoder& model, const BranchedTexts& texts) {
    Arena arena(backend_->memory());
    const Matrix hidden = model.forward(texts, arena);
    return {hidden.f32(), hidden.f32() + hidden.size()};
  }
  std::vector<float> rows(const Decoder& model, const Ids& text) {
    Arena arena(backend_->memory());
    TokenBatch batch;
    batch.add(text);
    const Matrix hidden = model.forward(backend_->place(batch, arena), arena);
    return {hidden.f32(), hidden.f32() + hidden.size()};
  }

  TempFolder temp_;
  std::filesystem::path folder_ =
      testing::write_family_model(temp_ / "model", testing::tiny_architecture(GetParam(), kHidden, 3, 4));
  Checkpoint checkpoint_ = Checkpoint::open(folder_);
  std::unique_ptr<Backend> backend_ = make_backend("cpu");
  Decoder model_{*backend_, checkpoint_, read_architecture(folder_ / "config.json")};
};

Ids ids_from(std::int32_t first, int count) {
  Ids ids;
  for (int i = 0; i < count; ++i) ids.push_back(first + (7 * i) % 60);
  return ids;
}

TEST_P(BranchedTextsOf, HaveTheHiddenStatesOfWholeTexts) {
  BranchedTexts texts;
  const Ids stem = ids_from(70, 19), branch = ids_from(130, 6);
  texts.stems.add(ids_from(40, 5));
  texts.add_branch(ids_from(20, 3));
  texts.stems.add(stem);
  texts.add_branch(branch);
  texts.add_branch({});
  const std::vector<float> found = rows(model_, texts);
  Ids whole = stem;
  whole.insert(whole.end(), branch.begin(), branch.end());
  const std::vector<float> expected = rows(model_, whole);
  const auto row_at = [&](std::int64_t row) { return found.data() + row * kHidden; };
  for (std::int64_t i = 0; i < kHidden; ++i) {
    EXPECT_NEAR(row_at(texts.last_row_of_stem(1))[i], expected[static_cast<std::size_t>(18 * kHidden + i)], 1e-4);
    EXPECT_NEAR(row_at(texts.first_row_of_branch(1) + 5)[i], expected[static_cast<std::size_t>(24 * kHidden + i)],
                1e-4);
  }
}

TEST_P(BranchedTextsOf, HaveTheSameBitsWithOthers) {
  const Ids stem = ids_from(70, 23), branch = ids_from(130, 9);
  BranchedTexts alone, together;
  alone.stems.add(stem);
  alone.add_branch(branch);
  together.stems.add(ids_from(60, 31));
  together.add_branch(ids_from(90, 2));
  together.stems.add(stem);
  for (int i = 1; i < 20; ++i) together.add_branch(ids_from(100, i % 12));
  together.add_branch(branch);
  const std::vector<float> a = rows(model_, alone), b = rows(model_, together);
  const auto bytes = static_cast<std::size_t>(kHidden) * sizeof(float);
  EXPECT_EQ(std::memcmp(a.data(), b.data() + together.stems.offsets[1] * kHidden, stem.size() * bytes), 0);
  EXPECT_EQ(std::memcmp(a.data() + alone.first_row_of_branch(0) * kHidden,
                        b.data() + together.first_row_of_branch(20) * kHidden, branch.size() * bytes),
            0);
}

/// What follows a stem would change it.
TEST(BranchedTexts, AreRefusedWhereTheAttentionLooksBothWays) {
  const TempFolder temp;
  const std::filesystem::path folder =
      testing::write_family_model(temp / "model", testing::tiny_architecture("qwen2_both_ways", kHidden, 2, 4));
  const Checkpoint checkpoint = Checkpoint::open(folder);
  const std::unique_ptr<Backend> backend = make_backend("cpu");
  const Decoder model(*backend, checkpoint, read_architecture(folder / "config.json"));
  BranchedTexts texts;
  texts.stems.add(ids_from(40, 5));
  texts.add_branch(ids_from(20, 3));
  Arena arena(backend->memory());
  EXPECT_THROW(model.forward(texts, arena), UserError);
}

INSTANTIATE_TEST_SUITE_P(Families, BranchedTextsOf, ::testing::ValuesIn(testing::family_names()),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace sgpt
