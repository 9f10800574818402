// config.json of the decoders of today: what differs between the families, windows and attention both ways, and what is
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/family.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

Architecture read(const std::string& text) {
  const testing::TempFolder folder;
  return read_architecture(folder.write("config.json", text));
}

/// A model of a type, with more keys.
std::string config(const std::string& type, const std::string& more = "") {
  return R"({"model_type":")" + type +
         R"(","hidden_size":48,"num_hidden_layers":6,"num_attention_heads":4,"vocab_size":9,"intermediate_size":80,)"
         R"("max_position_embeddings":256)" +
         more + "}";
}

TEST(TodayArchitecture, HeadsAreNotTheHiddenSizeOverTheirNumber) {
  const Architecture a = read(config("qwen3", R"(,"head_dim":24,"num_key_value_heads":2)"));
  EXPECT_EQ(a.head_dim(), 24);
  EXPECT_EQ(a.query_width(), 96);
  EXPECT_EQ(a.key_width(), 48);
  EXPECT_FLOAT_EQ(a.score_scale, 1 / std::sqrt(24.0f));
  EXPECT_EQ(a.activation, Activation::silu);
  EXPECT_EQ(read(config("qwen3")).head_dim(), 128);
  EXPECT_EQ(read(config("llama")).head_dim(), 12);
  EXPECT_EQ(read(config("llama", R"(,"head_dim":null,"num_key_value_heads":null)")).key_heads(), 4);
}

TEST(TodayArchitecture, AWindowCountsWhereItIsSwitchedOn) {
  const std::string window = R"(,"sliding_window":8)";
  EXPECT_THAT(read(config("qwen2", window + R"(,"use_sliding_window":false,"max_window_layers":2)")).windows,
              IsEmpty());
  EXPECT_THAT(read(config("qwen2", window + R"(,"use_sliding_window":true,"max_window_layers":4)")).windows,
              ElementsAre(0, 0, 0, 0, 8, 8));
  EXPECT_THAT(read(config("mistral", window)).windows, ElementsAre(8, 8, 8, 8, 8, 8));
  EXPECT_THAT(read(config("mistral", R"(,"sliding_window":null)")).windows, IsEmpty());
  EXPECT_THAT(read(config("gemma3_text", window)).windows, ElementsAre(8, 8, 8, 8, 8, 0));
  EXPECT_THAT(read(config("gemma3_text", window + R"(,"sliding_window_pattern":2)")).windows,
              ElementsAre(8, 0, 8, 0, 8, 0));
  const std::string types = R"(,"layer_types":["full_attention","sliding_attention","full_attention",)"
                            R"("full_attention","full_attention","full_attention"])";
  for (const char* type : {"qwen2", "qwen3", "gemma3_text"}) {
    EXPECT_THAT(read(config(type, window + types)).windows, ElementsAre(0, 8, 0, 0, 0, 0));
  }
}

TEST(TodayArchitecture, BothWaysAWindowIsAsWideAsTransformersMakesIt) {
  Architecture mistral = read(config("mistral", R"(,"sliding_window":8,"is_causal":false)"));
  EXPECT_FALSE(mistral.causal);
  EXPECT_EQ(mistral.window(0), 9);  // |i - j| <= 8
  set_causal(mistral, true);
  EXPECT_EQ(mistral.window(0), 8);
  EXPECT_EQ(read(config("gemma3_text", R"(,"sliding_window":9,"use_bidirectional_attention":true)")).window(0), 5);
  EXPECT_EQ(read(config("gemma3_text", R"(,"sliding_window":9,"use_bidirectional_attention":true)")).window(5), 0);
}

TEST(TodayArchitecture, ALineOfTheConfigurationOrAClassSaysThatAttentionLooksBothWays) {
  EXPECT_TRUE(read(config("llama")).causal);
  EXPECT_TRUE(read(config("llama", R"(,"architectures":["LlamaModel"],"is_causal":true)")).causal);
  EXPECT_FALSE(read(config("qwen2", R"(,"is_causal":false)")).causal);
  EXPECT_FALSE(read(config("llama", R"(,"use_bidirectional_attention":true)")).causal);
  EXPECT_FALSE(read(config("llama", R"(,"architectures":["LlamaBidirectionalModel"])")).causal);
  EXPECT_FALSE(read(config("llama_bidirec")).causal);
  EXPECT_FALSE(read(config("bidirectional_pplx_qwen3")).causal);
  EXPECT_EQ(read(config("bidirectional_pplx_qwen3")).family->model_type, "qwen3");
  EXPECT_NE(summary_of(read(config("qwen2"))), summary_of(read(config("qwen2", R"(,"is_causal":false)"))));
}

TEST(TodayArchitecture, AlibiCannotLookBothWays) {
  Architecture bloom = make_architecture("bloom", {64, 2, 4, 5000});
  EXPECT_THAT([&] { set_causal(bloom, false); }, ThrowsMessage<UserError>(HasSubstr("ALiBi")));
  Architecture gpt2 = make_architecture("gpt2", {64, 2, 4, 5000});
  set_causal(gpt2, false);
  EXPECT_FALSE(gpt2.causal);
}

TEST(TodayArchitecture, Gemma) {
  const Architecture a = read(config("gemma3_text", R"(,"sliding_window":8,"query_pre_attn_scalar":20,"head_dim":16,)"
                                                    R"("rope_theta":1000000.0,"rope_local_base_freq":5000.0,)"
                                                    R"("rope_scaling":{"rope_type":"linear","factor":8.0})"));
  EXPECT_EQ(a.norm_plus, 1);
  EXPECT_FLOAT_EQ(a.embedding_factor, std::sqrt(48.0f));
  EXPECT_FLOAT_EQ(a.score_scale, 1 / std::sqrt(20.0f));
  EXPECT_EQ(a.rotary.theta, 1e6);
  EXPECT_EQ(a.rotary.scaling, RotaryScaling::linear);
  EXPECT_EQ(a.window_rotary->theta, 5000);
  EXPECT_EQ(a.window_rotary->scaling, RotaryScaling::none);
}

TEST(TodayArchitecture, GemmaIsWrittenWithAWholeScalar) {
  for (const std::int64_t head_dim : {8, 24, 80, 256}) {
    const Architecture made = make_architecture("gemma3_text", {2 * head_dim, 2, 2, 300, 128});
    nlohmann::ordered_json written{{"model_type", "gemma3_text"}};
    made.family->write(made, written);
    EXPECT_EQ(written.at("query_pre_attn_scalar").dump(), std::to_string(head_dim));
  }
}

TEST(TodayArchitecture, ARotaryIsPartOfTheSummary) {
  const auto summary = [](const std::string& more) { return summary_of(read(config("llama", more))); };
  EXPECT_NE(summary(R"(,"rope_theta":10000)"), summary(R"(,"rope_theta":500000)"));
  EXPECT_EQ(summary(R"(,"rope_theta":500000)"), summary(R"(,"rope_parameters":{"rope_theta":500000})"));
  EXPECT_NE(summary(""), summary(R"(,"rope_scaling":{"type":"linear","factor":2})"));
  EXPECT_NE(summary(R"(,"num_key_value_heads":2)"), summary(R"(,"num_key_value_heads":1)"));
}

struct Refused {
  const char* name;
  std::string text;
  const char* message;
};

class RefusedConfigs : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedConfigs, NameFileKeyAndReason) {
  EXPECT_THAT([] { read(GetParam().text); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("config.json: "), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedConfigs,
    ::testing::Values(
        Refused{"NvEmbed", config("nvembed"), "NV-Embed"}, Refused{"Gemma1", config("gemma"), "Gemma 1"},
        Refused{"Gemma2", config("gemma2"), "tanh"}, Refused{"Gemma3WithImages", config("gemma3"), "gemma3_text"},
        Refused{"EmbeddingGemma2", config("embedding_gemma2_text"), "EmbeddingGemma 2"},
        Refused{"NvEmbedByItsClass", config("mistral", R"(,"architectures":["NVEmbedModel"])"), "NV-Embed"},
        Refused{"GritLm", config("mistral", R"(,"auto_map":{"AutoModel":"modeling_gritlm7b.MistralModel"})"), "GritLM"},
        Refused{"Llm2Vec", config("llama", R"(,"auto_map":{"AutoModel":"modeling_llama_encoder.LlamaEncoderModel"})"),
                "LLM2Vec"},
        Refused{"Dynamic", config("llama", R"(,"rope_scaling":{"type":"dynamic","factor":2})"),
                R"(rope_scaling: rope_type: expected "default", "linear", "llama3" or "yarn": by others)"},
        Refused{"LongRope", config("qwen2", R"(,"rope_parameters":{"rope_type":"longrope"})"), "longrope"},
        Refused{"NoFactor", config("llama", R"(,"rope_scaling":{"type":"linear"})"), "factor: expected a number"},
        Refused{"NegativeFactor", config("llama", R"(,"rope_scaling":{"type":"yarn","factor":-1})"), "factor"},
        Refused{"Llama3WithoutBounds", config("llama", R"(,"rope_scaling":{"rope_type":"llama3","factor":8})"),
                "low_freq_factor"},
        Refused{"ThetaZero", config("llama", R"(,"rope_theta":0)"), "rope_theta"},
        Refused{"PartialRotary", config("llama", R"(,"partial_rotary_factor":0.5)"), "partial_rotary_factor"},
        Refused{"PartialRotaryWithin", config("llama", R"(,"rope_parameters":{"partial_rotary_factor":0.5})"),
                "partial_rotary_factor"},
        Refused{"Relu", config("llama", R"(,"hidden_act":"relu")"), R"("silu")"},
        Refused{"ExactGelu", config("gemma3_text", R"(,"sliding_window":8,"hidden_activation":"gelu")"),
                "gelu_pytorch_tanh"},
        Refused{"SoftCap", config("gemma3_text", R"(,"sliding_window":8,"attn_logit_softcapping":50)"),
                "attn_logit_softcapping"},
        Refused{"AttentionBias", config("qwen3", R"(,"attention_bias":true)"), "attention_bias"},
        Refused{"MlpBias", config("llama", R"(,"mlp_bias":true)"), "mlp_bias"},
        Refused{"KeyHeadsDoNotDivide", config("llama", R"(,"num_key_value_heads":3)"), "a divisor of the 4 heads"},
        Refused{"KeyHeadsMore", config("llama", R"(,"num_key_value_heads":8)"), "num_key_value_heads"},
        Refused{"OddHeads", config("llama", R"(,"head_dim":7)"), "even"},
        Refused{"WindowMissing", config("gemma3_text"), "sliding_window"},
        Refused{"LayerTypesShort", config("qwen3", R"(,"layer_types":["full_attention"])"), "a list of 6 kinds"},
        Refused{"LayerTypesOther",
                config("qwen3", R"(,"layer_types":["full_attention","chunked_attention","full_attention",)"
                                R"("full_attention","full_attention","full_attention"])"),
                "layer_types"},
        Refused{"BothWaysAndNot", config("llama", R"(,"is_causal":true,"use_bidirectional_attention":true)"),
                "use_bidirectional_attention"},
        Refused{"EpsZero", config("llama", R"(,"rms_norm_eps":0)"), "rms_norm_eps"},
        Refused{"NestedRotaryMissing",
                config("gemma3_text", R"(,"sliding_window":8,"rope_parameters":{"full_attention":{}})"),
                "sliding_attention"}),
    [](const auto& one_case) { return std::string(one_case.param.name); });

}  // namespace
}  // namespace sgpt
