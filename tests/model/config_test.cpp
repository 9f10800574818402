// config.json: the spellings that checkpoints use, and what is refused.
#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

BloomConfig read(const std::string& text) {
  const testing::TempFolder folder;
  return read_bloom_config(folder.write("config.json", text));
}

TEST(BloomConfig, TakesEverySpelling) {
  const BloomConfig old = read(R"({"model_type":"bloom","n_embed":96,"num_hidden_layers":2,"num_attention_heads":6,
                                   "vocab_size":300,"layer_norm_epsilon":1e-6,"n_inner":null})");
  EXPECT_EQ(old.hidden, 96);
  EXPECT_EQ(old.layers, 2);
  EXPECT_EQ(old.heads, 6);
  EXPECT_EQ(old.head_dim(), 16);
  EXPECT_EQ(old.vocabulary, 300);
  EXPECT_FLOAT_EQ(old.layer_norm_eps, 1e-6f);
  const BloomConfig both =
      read(R"({"model_type":"bloom","hidden_size":64,"n_embed":64,"n_layer":3,"n_head":4,"vocab_size":9})");
  EXPECT_EQ(both.hidden, 64);
  EXPECT_FLOAT_EQ(both.layer_norm_eps, 1e-5f);
}

struct BrokenConfig {
  const char* name;
  const char* text;
  const char* message;
};

class BrokenConfigs : public ::testing::TestWithParam<BrokenConfig> {};

TEST_P(BrokenConfigs, AreRefusedNamingFileAndKey) {
  EXPECT_THAT([&] { read(GetParam().text); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("config.json: "), HasSubstr(GetParam().message))));
}

#define SIZES R"("model_type":"bloom","n_layer":1,"vocab_size":9,)"
INSTANTIATE_TEST_SUITE_P(
    All, BrokenConfigs,
    ::testing::Values(
        BrokenConfig{"NoJson", "{", "not valid JSON"}, BrokenConfig{"Empty", "", "not valid JSON"},
        BrokenConfig{"AList", "[]", "expected a JSON object"},
        BrokenConfig{"AnotherModel", R"({"model_type":"gpt_neo"})", "gpt_neo"},
        BrokenConfig{"NoModelType", "{}", "model_type"},
        BrokenConfig{"HiddenMissing", "{" SIZES R"("n_head":4})", "hidden_size: expected a number"},
        BrokenConfig{"HiddenZero", "{" SIZES R"("n_head":4,"hidden_size":0})", "hidden_size"},
        BrokenConfig{"HiddenNegative", "{" SIZES R"("n_head":4,"n_embed":-64})", "n_embed"},
        BrokenConfig{"HiddenHuge", "{" SIZES R"("n_head":4,"n_embed":18446744073709551615})", "n_embed"},
        BrokenConfig{"HiddenText", "{" SIZES R"("n_head":4,"hidden_size":"64"})", "expected an integer"},
        BrokenConfig{"HiddenFraction", "{" SIZES R"("n_head":4,"hidden_size":64.5})", "expected an integer"},
        BrokenConfig{"SpellingsDisagree", "{" SIZES R"("n_head":4,"hidden_size":64,"n_embed":32})", "n_embed"},
        BrokenConfig{"HeadsDoNotDivide", "{" SIZES R"("n_head":5,"hidden_size":64})", "5 heads"},
        BrokenConfig{"PostLayerNorm",
                     "{" SIZES R"("n_head":4,"hidden_size":64,"apply_residual_connection_post_layernorm":true})",
                     "apply_residual_connection_post_layernorm"},
        BrokenConfig{"EpsZero", "{" SIZES R"("n_head":4,"hidden_size":64,"layer_norm_epsilon":0})",
                     "layer_norm_epsilon"},
        BrokenConfig{"OtherInner", "{" SIZES R"("n_head":4,"hidden_size":64,"n_inner":100})", "n_inner"}),
    [](const auto& one_case) { return std::string(one_case.param.name); });
#undef SIZES

TEST(BloomConfig, AMillionBracketsAreRefused) {
  EXPECT_THAT([] { read(std::string(1'000'000, '[')); }, ThrowsMessage<UserError>(HasSubstr("nested deeper")));
}

TEST(BloomConfig, AMissingFileIsNamed) {
  EXPECT_THAT([] { read_bloom_config("/nowhere/config.json"); },
              ThrowsMessage<UserError>(HasSubstr("/nowhere/config.json")));
}

}  // namespace
}  // namespace sgpt
