// LoRA beside a decoder's matrices: which are meant, how training begins, the forward pass against merged weights and
// the backward pass against finite differences.
#include "model/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "family_models.h"
#include "loss_of_decoder.h"
#include "model/lora_adapter.h"
#include "model/lora_config.h"
#include "model/memory_plan.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using testing::derivative;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::largest;
using testing::largest_difference;
using testing::Model;
using ::testing::SizeIs;
using testing::TempFolder;
using ::testing::ThrowsMessage;
using testing::values;

/// Beside all matrices, with a B that is not zero, so that all of A matters.
Lora lively(const Architecture& architecture, const std::string& targets = "all-linear") {
  Lora lora = new_lora(architecture, {.rank = 3, .alpha = 6, .targets = targets, .seed = 5});
  lora.start = [](const ParameterInfo& info, std::span<float> numbers) {
    std::mt19937 random(static_cast<unsigned>(info.name.size() + info.name[info.name.size() / 2]));
    for (float& number : numbers) number = 0.3f * (static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
  };
  return lora;
}

TrainedParameters trained(Lora lora) {
  return {[](std::string_view name) { return name.find("lora_") != name.npos; }, [](std::string_view) { return true; },
          std::move(lora)};
}

std::vector<std::string> modules_of(const Lora& lora) {
  std::vector<std::string> names;
  for (const LoraModule& module : lora.modules) names.push_back(module.module);
  return names;
}

TEST(NewLora, TargetsAreEndsOfNamesOrAnExpression) {
  const Architecture qwen3 = testing::tiny_architecture("qwen3", 32, 2, 4);
  EXPECT_THAT(modules_of(new_lora(qwen3, {})), SizeIs(14));
  EXPECT_THAT(modules_of(new_lora(qwen3, {.targets = "q_proj,v_proj"})),
              ::testing::ElementsAre("layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj",
                                     "layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj"));
  EXPECT_THAT(modules_of(new_lora(qwen3, {.targets = "layers\\.1\\..*\\.(q_proj|down_proj)"})),
              ::testing::ElementsAre("layers.1.self_attn.q_proj", "layers.1.mlp.down_proj"));
  EXPECT_THAT(modules_of(new_lora(testing::tiny_architecture("bloom", 32, 2, 4), {.targets = "query_key_value"})),
              SizeIs(2));
  for (const char* wrong : {"q_proj,c_attn", "proj", "", "layers\\.7\\..*", "q_norm"}) {
    EXPECT_THAT([&] { new_lora(qwen3, {.targets = wrong}); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("--lora_targets"), HasSubstr("q_proj"))))
        << wrong;
  }
  EXPECT_THROW(new_lora(qwen3, {.targets = "(q_proj"}), UserError);
}

TEST(NewLora, BeginsAsPeftDoes) {
  const Architecture qwen3 = testing::tiny_architecture("qwen3", 64, 1, 4);
  const Lora lora = new_lora(qwen3, {.rank = 8, .seed = 3});
  for (const ParameterInfo& info : decoder_parameters(qwen3, lora)) {
    if (info.lora == LoraPart::none) continue;
    std::vector<float> numbers(static_cast<std::size_t>(info.rows * info.cols), 7.0f), again = numbers;
    lora.start(info, numbers);
    lora.start(info, again);
    EXPECT_EQ(numbers, again);
    if (info.lora == LoraPart::b) {
      EXPECT_THAT(numbers, Each(0.0f));
      continue;
    }
    const float bound = 1 / std::sqrt(static_cast<float>(info.cols));
    EXPECT_LE(largest(numbers), bound);
    EXPECT_GT(largest(numbers), 0.95f * bound);
    double squares = 0;
    for (const float number : numbers) squares += static_cast<double>(number) * number;
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(numbers.size())), bound / std::sqrt(3.0), 0.1 * bound);
  }
}

TEST(NewLora, ScaleIsAlphaOverTheRankOrItsRoot) {
  Lora lora;
  EXPECT_EQ(lora.scale({.module = "", .rank = 4, .alpha = 8}), 2);
  lora.rank_stabilised = true;
  EXPECT_EQ(lora.scale({.module = "", .rank = 4, .alpha = 8}), 4);
}

TEST(LoraPatterns, AreEndsOfNames) {
  const auto fits = [](const char* name, const char* pattern) { return ends_with_pattern(name, pattern, "here"); };
  EXPECT_TRUE(fits("layers.1.self_attn.v_proj", "v_proj"));
  EXPECT_TRUE(fits("layers.1.self_attn.v_proj", "layers.1.self_attn.v_proj"));
  EXPECT_TRUE(fits("layers.1.self_attn.v_proj", "layers\\.1\\..*"));
  EXPECT_TRUE(fits("layers.1.self_attn.v_proj", "(q|v)_proj"));
  EXPECT_FALSE(fits("layers.1.self_attn.v_proj", "proj"));
  EXPECT_FALSE(fits("layers.1.self_attn.v_proj", "self_attn"));
  EXPECT_FALSE(fits("layers.11.self_attn.v_proj", "layers.1.self_attn.v_proj"));
  EXPECT_THROW(fits("x", "(?P<a>b"), UserError);
}

/// Every family on every backend.
class LoraDecoder : public ::testing::TestWithParam<std::tuple<const char*, std::string>> {
 protected:
  const char* backend() const { return std::get<0>(GetParam()); }
  Architecture architecture(std::int64_t hidden = 32) const {
    return testing::tiny_architecture(std::get<1>(GetParam()), hidden, 2, 4);
  }
};
INSTANTIATE_TEST_SUITE_P(Families, LoraDecoder,
                         ::testing::Combine(::testing::Values("reference", "cpu"),
                                            ::testing::ValuesIn(testing::decoder_names())),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                         });

TEST_P(LoraDecoder, ComputesWhatMergedWeightsDo) {
  const TempFolder folder;
  testing::write_family_model(folder.path(), architecture());
  Model plain(folder.path(), backend());
  Model adapted(folder.path(), backend(), trained(lively(architecture())));
  // Its matrices as an adapter, merged into the weights.
  const std::filesystem::path peft = folder.path() / "adapter";
  std::filesystem::create_directories(peft);
  std::ofstream(peft / "adapter_config.json") << lora_config_json(lively(architecture()), architecture(), "..");
  std::vector<TensorToWrite> tensors;
  for (const Parameter& parameter : adapted.model.parameters()) {
    if (parameter.info.lora == LoraPart::none) continue;
    tensors.push_back({"base_model.model." + parameter.info.name,
                       DType::f32,
                       parameter.info.shape(),
                       {static_cast<const std::byte*>(parameter.value.data), parameter.value.bytes()},
                       {}});
  }
  write_safetensors(peft / "adapter_model.safetensors", tensors);
  Checkpoint merged = Checkpoint::open(folder.path());
  LoraAdapter::open(peft).merge_into(merged, plain.model.config());
  Decoder model(*plain.backend, merged, plain.model.config());
  const std::vector<float> found = adapted.hidden();
  const Arena::Scope scope(plain.arena);
  const std::vector<float> expected =
      values(model.forward(plain.backend->place(plain.batch, plain.arena), plain.arena));
  EXPECT_LE(largest_difference(found, expected), 2e-5f * largest(expected));
  EXPECT_GT(largest_difference(found, plain.hidden()), 1e-2f * largest(expected));
}

TEST_P(LoraDecoder, GradientsAgreeWithFiniteDifferences) {
  const TempFolder folder;
  Model setup(testing::write_family_model(folder.path(), architecture()), backend(), trained(lively(architecture())));
  setup.backward();
  std::mt19937 random(3);
  std::size_t compared = 0;
  for (const Parameter& parameter : setup.model.parameters()) {
    EXPECT_EQ(parameter.trained(), parameter.info.lora != LoraPart::none) << parameter.info.name;
    if (!parameter.trained()) continue;
    const std::vector<float> gradient = values(parameter.gradient);
    std::vector<float> along = gradient, across(gradient.size());
    for (std::size_t i = 0; i < across.size(); ++i) across[i] = (random() & 1 ? 1.0f : -1.0f) * gradient[i];
    double length = 0;
    for (const float g : gradient) length += static_cast<double>(g) * g;
    length = std::sqrt(length);
    ASSERT_GT(length, 0) << parameter.info.name << " does not matter in this model";
    for (std::vector<float>* direction : {&along, &across}) {
      double expected = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        (*direction)[i] /= static_cast<float>(length);
        expected += static_cast<double>(gradient[i]) * (*direction)[i];
      }
      EXPECT_NEAR(derivative(setup, parameter, *direction, 4e-3f), expected, 3e-3 * length) << parameter.info.name;
    }
    ++compared;
  }
  EXPECT_GE(compared, 16u);
}

TEST_P(LoraDecoder, LayersComputedAgainGiveTheSameBits) {
  const TempFolder folder;
  testing::write_family_model(folder.path(), architecture());
  const std::string all = "all-linear";
  std::vector<std::string> choices{all};
  for (const std::string& module : modules_of(lively(architecture()))) choices.push_back(module);  // each alone
  for (const std::string& targets : choices) {
    Model setup(folder.path(), backend(), trained(lively(architecture(), targets)));
    setup.backward();
    const std::vector<float> expected = values(setup.model.trained_gradients());
    EXPECT_GT(largest(expected), 0) << targets;
    setup.model.zero_gradients();
    setup.backward(Keep::inputs);
    EXPECT_EQ(values(setup.model.trained_gradients()), expected) << targets;
  }
}

TEST_P(LoraDecoder, KeepsAsManyBytesAsItSays) {
  const TempFolder folder;
  const Architecture wide = testing::tiny_architecture(std::get<1>(GetParam()), 64, 4, 16);
  testing::write_family_model(folder.path(), wide);
  Model setup(folder.path(), backend(), trained(lively(wide)));
  testing::expect_kept_bytes(setup);
}

TEST(LoraMemory, IsThatOfTheSmallMatricesAlone) {
  const Architecture qwen3 = testing::tiny_architecture("qwen3", 256, 2, 4);
  const auto backend = make_backend("cpu");
  const WeightsMemory frozen = plan_weights(*backend, qwen3, DType::f32);
  const WeightsMemory adapted = plan_weights(*backend, qwen3, DType::f32, trained(lively(qwen3)));
  std::uint64_t numbers = 0;
  for (const ParameterInfo& info : decoder_parameters(qwen3, lively(qwen3))) {
    if (info.lora != LoraPart::none) numbers += static_cast<std::uint64_t>(info.rows * info.cols);
  }
  EXPECT_EQ(adapted.gradients, 3 * numbers * sizeof(float));
  EXPECT_GT(adapted.values, frozen.values);
}

}  // namespace
}  // namespace sgpt
