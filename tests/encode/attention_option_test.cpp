// Which way the attention looks: as the folder says, or as it is asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "model/family_models.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
using ::testing::ThrowsMessage;

const std::vector<std::string> kTexts{"the thing and an ending"};

Encoder load(const std::filesystem::path& folder, std::optional<bool> causal) {
  return Encoder::load(folder, {.brackets = false, .pooling = {PoolingMode::mean}, .causal = causal});
}

TEST(AttentionOption, ChoosesWhatTheFolderDoesNotSay) {
  const TempFolder temp;
  const auto causal = testing::write_family_model(temp / "causal", testing::tiny_architecture("qwen2", 32, 2, 4));
  const auto both = testing::write_family_model(temp / "both", testing::tiny_architecture("qwen2_both_ways", 32, 2, 4));
  const Encoder one = load(causal, {}), other = load(both, {});
  EXPECT_TRUE(*one.options().causal);
  EXPECT_FALSE(*other.options().causal);
  const auto values = [](const Encoder& encoder) { return encoder.encode_documents(kTexts).values; };
  EXPECT_NE(values(one), values(other));
  EXPECT_EQ(values(load(causal, false)), values(other));
  EXPECT_EQ(values(load(both, true)), values(one));
  EXPECT_NE(embedding_options(load(causal, false)), embedding_options(one));  // caches tell them apart
  EXPECT_EQ(embedding_options(one).find("attention"), std::string::npos);     // and old ones stay good
}

TEST(AttentionOption, IsRefusedWherePositionsForbidIt) {
  const TempFolder temp;
  const auto folder = testing::write_family_model(temp / "bloom", testing::tiny_architecture("bloom", 32, 2, 4));
  EXPECT_NO_THROW(load(folder, true));
  EXPECT_THAT([&] { load(folder, false); }, ThrowsMessage<UserError>(HasSubstr("ALiBi")));
}

}  // namespace
}  // namespace sgpt
