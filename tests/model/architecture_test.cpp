// config.json: the spellings that checkpoints use, and what is refused.
#include "model/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/family.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Architecture read(const std::string& text) {
  const testing::TempFolder folder;
  return read_architecture(folder.write("config.json", text));
}

TEST(Architecture, TakesEverySpelling) {
  const Architecture old = read(R"({"model_type":"bloom","n_embed":96,"num_hidden_layers":2,"num_attention_heads":6,
                                   "vocab_size":300,"layer_norm_epsilon":1e-6,"n_inner":null})");
  EXPECT_EQ(old.hidden, 96);
  EXPECT_EQ(old.layers, 2);
  EXPECT_EQ(old.heads, 6);
  EXPECT_EQ(old.head_dim(), 16);
  EXPECT_EQ(old.vocabulary, 300);
  EXPECT_FLOAT_EQ(old.layer_norm_eps, 1e-6f);
  const Architecture both =
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
        BrokenConfig{"AnotherModel", R"({"model_type":"t5"})", "t5"}, BrokenConfig{"NoModelType", "{}", "model_type"},
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

#define GPT2 R"("model_type":"gpt2","n_embd":48,"n_layer":2,"n_head":3,"vocab_size":9,"n_positions":64)"
#define NEO                                                                                 \
  R"("model_type":"gpt_neo","hidden_size":48,"num_layers":4,"num_heads":3,"vocab_size":9,)" \
  R"("max_position_embeddings":64)"
#define GPTJ R"("model_type":"gptj","n_embd":64,"n_layer":2,"n_head":4,"vocab_size":9,"n_positions":64)"

TEST(Architecture, Gpt2AsReleased) {
  // The first releases have n_ctx, and none of the later keys.
  const Architecture a = read("{" GPT2 R"(,"n_ctx":64,"activation_function":"gelu_new","n_inner":null})");
  EXPECT_EQ(a.positions, Positions::learned);
  EXPECT_EQ(a.longest_text, 64);
  EXPECT_EQ(a.inner, 192);
  EXPECT_EQ(a.head_layout, HeadLayout::in_thirds);
  EXPECT_FLOAT_EQ(a.score_scale, 0.25f);
  EXPECT_EQ(read("{" GPT2 R"(,"n_inner":100})").inner, 100);
}

TEST(Architecture, GptNeoWritesItsLayersOut) {
  const Architecture a = read("{" NEO R"(,"attention_types":[[["global","local"],2]],"window_size":8})");
  EXPECT_EQ(a.windows, (std::vector<std::int64_t>{0, 8, 0, 8}));
  EXPECT_EQ(a.score_scale, 1);
  const Architecture b = read("{" NEO R"(,"attention_types":[[["global"],3],[["local"],1]],)"
                              R"("attention_layers":["global","global","global","local"]})");
  EXPECT_EQ(b.windows, (std::vector<std::int64_t>{0, 0, 0, 256}));
  EXPECT_EQ(read("{" NEO R"(,"attention_layers":["local","global","local","global"],"window_size":5})").windows,
            (std::vector<std::int64_t>{5, 0, 5, 0}));
}

TEST(Architecture, GptJ) {
  const Architecture a = read("{" GPTJ R"(,"rotary_dim":8,"rotary":true,"tie_word_embeddings":false})");
  EXPECT_EQ(a.positions, Positions::rotary);
  EXPECT_EQ(a.rotary_dims, 8);
  EXPECT_EQ(a.longest_text, 64);
}

TEST(Architecture, WhatIsWrittenIsReadAgain) {
  for (const char* family : {"bloom", "gpt2", "gpt_neo", "gptj", "llama", "mistral", "qwen2", "qwen3", "gemma3_text"}) {
    const Architecture made = make_architecture(family, {64, 5, 4, 300, 128});
    nlohmann::ordered_json config{{"model_type", family}};
    made.family->write(made, config);
    const Architecture again = read(config.dump());
    EXPECT_EQ(summary_of(again), summary_of(made));
    EXPECT_EQ(again.score_scale, made.score_scale);
    EXPECT_EQ(again.head_layout, made.head_layout);
    EXPECT_EQ(again.longest_text, made.longest_text);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Families, BrokenConfigs,
    ::testing::Values(
        BrokenConfig{"Gpt2NoPositions", R"({"model_type":"gpt2","n_embd":48,"n_layer":2,"n_head":3,"vocab_size":9})",
                     "n_positions"},
        BrokenConfig{"Gpt2Relu", "{" GPT2 R"(,"activation_function":"relu"})", "activation_function"},
        BrokenConfig{"Gpt2ExactGelu", "{" GPT2 R"(,"activation_function":"gelu"})", "gelu_new"},
        BrokenConfig{"Gpt2InverseLayer", "{" GPT2 R"(,"scale_attn_by_inverse_layer_idx":true})",
                     "scale_attn_by_inverse_layer_idx"},
        BrokenConfig{"Gpt2Upcast", "{" GPT2 R"(,"reorder_and_upcast_attn":true})", "reorder_and_upcast_attn"},
        BrokenConfig{"Gpt2CrossAttention", "{" GPT2 R"(,"add_cross_attention":true})", "add_cross_attention"},
        BrokenConfig{"Gpt2Unscaled", "{" GPT2 R"(,"scale_attn_weights":false})", "scale_attn_weights"},
        BrokenConfig{"NeoNoTypes", "{" NEO "}", "attention_types"},
        BrokenConfig{"NeoTooFewTypes", "{" NEO R"(,"attention_types":[[["global","local"],1]]})", "4 layers, found 2"},
        BrokenConfig{"NeoTooManyTypes", "{" NEO R"(,"attention_types":[[["global","local"],3]]})", "4 layers, found 6"},
        BrokenConfig{"NeoAnotherKind", "{" NEO R"(,"attention_types":[[["global","near"],2]]})", "attention_types"},
        BrokenConfig{"NeoManyRepeats", "{" NEO R"(,"attention_types":[[["local"],1000000000000]]})", "repeats"},
        BrokenConfig{"NeoNoPairs", "{" NEO R"(,"attention_types":["global"]})", "[pattern, repeats]"},
        BrokenConfig{"NeoDisagrees",
                     "{" NEO R"(,"attention_types":[[["global"],4]],"attention_layers":["local","local","local",)"
                     R"("local"]})",
                     "attention_layers"},
        BrokenConfig{"NeoWindowZero", "{" NEO R"(,"attention_types":[[["local"],4]],"window_size":0})", "window_size"},
        BrokenConfig{"GptJNoRotary", "{" GPTJ R"(,"rotary_dim":null})", "rotary_dim"},
        BrokenConfig{"GptJRotaryBeyondTheHead", "{" GPTJ R"(,"rotary_dim":32})", "the size of a head, 16, found 32"},
        BrokenConfig{"GptJRotaryOdd", "{" GPTJ R"(,"rotary_dim":7})", "even"},
        BrokenConfig{"GptJUsualRotaryBeyondTheHead", "{" GPTJ "}", "found 64"}),
    [](const auto& one_case) { return std::string(one_case.param.name); });
#undef GPT2
#undef NEO
#undef GPTJ

TEST(Architecture, TheSummaryOfABloomNeverChanges) {
  // Checkpoints of runs hold a checksum that begins with it.
  EXPECT_EQ(summary_of(make_architecture("bloom", {64, 2, 4, 5000})),
            "bloom hidden=64 layers=2 heads=4 vocabulary=5000 eps=1e-05");
}

TEST(Architecture, ANewModelNeedsAFamilyAndSizesThatGoTogether) {
  EXPECT_THAT([] { make_architecture("t5", {64, 2, 4, 5000}); }, ThrowsMessage<UserError>(HasSubstr("'t5'")));
  EXPECT_THAT([] { make_architecture("bloom", {64, 2, 5, 5000}); }, ThrowsMessage<UserError>(HasSubstr("5 heads")));
}

TEST(Architecture, AMillionBracketsAreRefused) {
  EXPECT_THAT([] { read(std::string(1'000'000, '[')); }, ThrowsMessage<UserError>(HasSubstr("nested deeper")));
}

TEST(Architecture, AMissingFileIsNamed) {
  EXPECT_THAT([] { read_architecture("/nowhere/config.json"); },
              ThrowsMessage<UserError>(HasSubstr("/nowhere/config.json")));
}

}  // namespace
}  // namespace sgpt
