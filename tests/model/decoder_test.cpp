// A decoder on tiny random models: the table of parameters, loading, the forward pass of one backend against the other,
// and the backward pass against finite differences.
#include "model/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "family_models.h"
#include "loss_of_decoder.h"
#include "model/model_folder.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using testing::all_of_them;
using testing::derivative;
using testing::largest;
using testing::largest_difference;
using testing::Model;
using testing::only;
using testing::TempFolder;
using testing::TinyModel;
using testing::values;
using testing::write_tiny_model;

TEST(DecoderParameters, AreNamedAndShapedAsInTheCheckpoint) {
  const TinyModel tiny{.hidden = 24, .layers = 3, .heads = 3};
  const auto table = decoder_parameters(make_architecture("bloom", {24, 3, 3, testing::tiny_vocabulary()}));
  const auto expected = testing::tiny::tensors(tiny);
  ASSERT_EQ(table.size(), expected.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table[i].name, expected[i].name);
    EXPECT_EQ(table[i].shape(), expected[i].shape);
  }
}

TEST(AlibiSlopes, HalveForEightHeads) {
  EXPECT_THAT(alibi_slopes(8),
              ::testing::ElementsAre(0.5f, 0.25f, 0.125f, 0.0625f, 0x1p-5f, 0x1p-6f, 0x1p-7f, 0x1p-8f));
}

TEST(AlibiSlopes, TakeEverySecondOfTheNextPowerWhenHeadsAreNoPowerOfTwo) {
  EXPECT_THAT(alibi_slopes(6),
              ::testing::Pointwise(::testing::FloatEq(), {0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f}));
  EXPECT_THAT(alibi_slopes(1), ::testing::ElementsAre(0x1p-8f));
  EXPECT_EQ(alibi_slopes(112).size(), 112u);
}

/// Every family on every backend.
class DecoderOnEachBackend : public ::testing::TestWithParam<std::tuple<const char*, std::string>> {
 protected:
  const char* backend() const { return std::get<0>(GetParam()); }
  std::filesystem::path write(const std::filesystem::path& folder, std::int64_t hidden, std::int64_t layers,
                              std::int64_t heads) const {
    return testing::write_family_model(folder,
                                       testing::tiny_architecture(std::get<1>(GetParam()), hidden, layers, heads));
  }
  /// The parameter of a role in a layer; null where the family has none.
  static std::string name_of(const Decoder& model, Role role, bool bias, std::int64_t layer) {
    for (const Parameter& parameter : model.parameters()) {
      const ParameterInfo& info = parameter.info;
      if (info.role == role && info.bias == bias && layer-- == 0) return info.name;
    }
    return "";
  }
};
INSTANTIATE_TEST_SUITE_P(Families, DecoderOnEachBackend,
                         ::testing::Combine(::testing::Values("reference", "cpu"),
                                            ::testing::ValuesIn(testing::decoder_names())),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                         });

TEST_P(DecoderOnEachBackend, KeepingActivationsChangesNoBit) {
  const TempFolder folder;
  Model setup(write(folder.path(), 32, 2, 4), backend(), all_of_them());
  const std::vector<float> plain = setup.hidden();
  const PackedTexts texts = setup.backend->place(setup.batch, setup.arena);
  Activations kept;
  EXPECT_EQ(values(setup.model.forward(texts, setup.arena, kept)), plain);
  EXPECT_EQ(values(kept.hidden), plain);
}

TEST_P(DecoderOnEachBackend, LayersComputedAgainGiveTheSameBits) {
  const TempFolder folder;
  write(folder.path(), 32, 3, 4);
  const Model any(folder.path(), backend());
  const auto bias = [](std::string_view name) { return name.find("bias") != std::string_view::npos; };
  const auto none = [](std::string_view) { return false; };
  const auto names_norm = [](std::string_view name) { return name.find("norm") != std::string_view::npos; };
  const bool with_biases = has_bias(any.model.config(), Role::last_norm);
  const std::string last = name_of(any.model, Role::last_norm, with_biases, 0);
  std::vector<TrainedParameters> choices{
      all_of_them(), with_biases ? TrainedParameters{bias, none} : TrainedParameters{names_norm, none}, only(last)};
  for (const auto& [role, is_bias, layer] :
       std::vector<std::tuple<Role, bool, std::int64_t>>{{Role::narrow, true, 1},
                                                         {Role::feed_forward_norm, false, 1},
                                                         {Role::narrow, false, 1},
                                                         {Role::gate, false, 1},
                                                         {Role::widen, false, 1},
                                                         {Role::attention_norm, false, 1},
                                                         {Role::attention_out, false, 1},
                                                         {Role::key_norm, false, 1},
                                                         {Role::query_norm, false, 1},
                                                         {Role::query, false, 1},
                                                         {Role::norm1, true, 2},
                                                         {Role::position_embedding, false, 0},
                                                         {Role::token_embedding, false, 0}}) {
    const std::string name = name_of(any.model, role, is_bias, layer);
    if (!name.empty()) choices.push_back(only(name));
  }
  for (const TrainedParameters& which : choices) {
    Model setup(folder.path(), backend(), which);
    setup.backward();
    const std::vector<float> expected = values(setup.model.trained_gradients());
    EXPECT_GT(largest(expected), 0);
    setup.model.zero_gradients();
    setup.backward(Keep::inputs);
    EXPECT_EQ(values(setup.model.trained_gradients()), expected);
  }
}

TEST_P(DecoderOnEachBackend, ATextHasTheSameBitsInAnyBatch) {
  const TempFolder folder;
  Model setup(write(folder.path(), 48, 2, 3), backend());
  const TokenBatch together = setup.batch;
  const std::vector<float> all = setup.hidden();
  for (std::size_t b = 0; b < static_cast<std::size_t>(together.texts()); ++b) {
    const auto first = static_cast<std::size_t>(together.offsets[b]),
               end = static_cast<std::size_t>(together.offsets[b + 1]);
    setup.batch = {};
    setup.batch.add(std::span(together.ids).subspan(first, end - first));
    const std::vector<float> alone = setup.hidden();
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + static_cast<std::ptrdiff_t>(first * 48)));
  }
}

TEST_P(DecoderOnEachBackend, ValuesGoOutAndInAsTheCheckpointHasThem) {
  const TempFolder folder;
  Model setup(write(folder.path(), 24, 2, 3), backend(), all_of_them());
  for (const Parameter& parameter : setup.model.parameters()) {
    const CheckpointTensor& tensor = require_parameter(setup.checkpoint, parameter.info);
    const auto* stored = reinterpret_cast<const float*>(tensor.bytes.data());
    std::vector<float> out(static_cast<std::size_t>(parameter.value.size()));
    setup.model.download(parameter, parameter.value, out);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), stored)) << parameter.info.name;
    const std::vector<float> before = values(parameter.value);
    setup.backend->zero(parameter.value);
    setup.model.upload(parameter, out, parameter.value);
    EXPECT_EQ(values(parameter.value), before) << parameter.info.name;
  }
}

TEST_P(DecoderOnEachBackend, ATextLongerThanThePositionsIsRefused) {
  const TempFolder folder;
  Model setup(write(folder.path(), 24, 1, 3), backend());
  setup.batch.add(std::vector<std::int32_t>(65, 5));
  if (setup.model.config().longest_text == 0) {
    EXPECT_NO_THROW(setup.hidden());
  } else {
    EXPECT_THROW(setup.hidden(), UserError);
  }
}

TEST_P(DecoderOnEachBackend, KeepsAsManyBytesAsItSays) {
  const TempFolder folder;
  write(folder.path(), 64, 4, 16);  // rows that need no padding
  const Model any(folder.path(), backend());
  const bool with_bias = has_bias(any.model.config(), Role::narrow);
  const std::string narrow = name_of(any.model, Role::narrow, with_bias, 2);
  for (const TrainedParameters& which : {all_of_them(), only(narrow)}) {
    Model setup(folder.path(), backend(), which);
    testing::expect_kept_bytes(setup);
  }
}

TEST_P(DecoderOnEachBackend, GradientsAgreeWithFiniteDifferences) {
  const TempFolder folder;
  Model setup(write(folder.path(), 24, 2, 3), backend(), all_of_them());
  for (const PoolingMode mode : {PoolingMode::weightedmean, PoolingMode::lasttoken}) {
    setup.pooling = {mode};
    setup.model.zero_gradients();
    setup.backward();
    std::mt19937 random(3);
    for (const Parameter& parameter : setup.model.parameters()) {
      const std::vector<float> gradient = values(parameter.gradient);
      // Along the gradient itself, and along a random direction that mixes all of its numbers.
      std::vector<float> along = gradient;
      std::vector<float> across(gradient.size());
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
    }
  }
}

TEST_P(DecoderOnEachBackend, AParameterTrainedAloneGetsTheGradientItGetsAmongAll) {
  const TempFolder folder;
  write(folder.path(), 32, 2, 4);
  Model all(folder.path(), backend(), all_of_them());
  all.backward();
  for (const Parameter& parameter : all.model.parameters()) {
    Model one(folder.path(), backend(), only(parameter.info.name));
    one.backward();
    EXPECT_EQ(one.model.trained_gradients().size(), parameter.gradient.size());
    EXPECT_EQ(values(one.model.trained_gradients()), values(parameter.gradient)) << parameter.info.name;
  }
}

TEST_P(DecoderOnEachBackend, GradientsOfTwoBatchesAddUp) {
  const TempFolder folder;
  Model setup(write(folder.path(), 32, 2, 4), backend(), all_of_them());
  setup.backward();
  std::vector<float> twice = values(setup.model.trained_gradients());
  for (float& g : twice) g *= 2;
  setup.backward();
  EXPECT_LE(largest_difference(values(setup.model.trained_gradients()), twice), 1e-5f * largest(twice));
  setup.model.zero_gradients();
  EXPECT_EQ(largest(values(setup.model.trained_gradients())), 0);
}

TEST_P(DecoderOnEachBackend, ABatchWithoutTokensIsLegal) {
  const TempFolder folder;
  Model setup(write(folder.path(), 32, 2, 4), backend(), all_of_them());
  setup.batch = TokenBatch();
  setup.batch.add({});
  EXPECT_EQ(setup.loss(), 0);
  setup.backward();
  EXPECT_EQ(largest(values(setup.model.trained_gradients())), 0);
}

TEST(Decoder, BackendsAgreeOnHiddenStates) {
  for (const std::string& family : testing::decoder_names()) {
    for (const auto& [hidden, heads] : {std::pair<std::int64_t, std::int64_t>{32, 4}, {60, 6}}) {
      const TempFolder folder;
      testing::write_family_model(folder.path(), testing::tiny_architecture(family, hidden, 3, heads));
      const std::vector<float> reference = Model(folder.path(), "reference").hidden();
      EXPECT_LE(largest_difference(Model(folder.path(), "cpu").hidden(), reference), 2e-5f * largest(reference))
          << family;
    }
  }
}

TEST(Decoder, BackendsAgreeOnGradients) {
  for (const std::string& family : testing::decoder_names()) {
    const TempFolder folder;
    testing::write_family_model(folder.path(), testing::tiny_architecture(family, 60, 2, 6));
    Model reference(folder.path(), "reference", all_of_them());
    Model cpu(folder.path(), "cpu", all_of_them());
    reference.backward();
    cpu.backward();
    for (const Parameter& parameter : reference.model.parameters()) {
      const std::vector<float> expected = values(parameter.gradient);
      const std::vector<float> found = values(cpu.model.parameter(parameter.info.name).gradient);
      EXPECT_LE(largest_difference(found, expected), 1e-4f * largest(expected)) << family << parameter.info.name;
    }
  }
}

TEST(Decoder, LaysTrainedParametersEndToEndThoseThatDecayFirst) {
  const TempFolder folder;
  Model setup(write_tiny_model(folder.path()), "reference", all_of_them());
  const Decoder& model = setup.model;
  std::int64_t decayed = 0;
  std::int64_t total = 0;
  for (const Parameter& parameter : model.parameters()) {
    const bool decays = parameter.info.name.find("bias") == std::string::npos;
    const std::int64_t offset = parameter.value.f32() - model.trained_values().f32();
    EXPECT_EQ(parameter.gradient.f32() - model.trained_gradients().f32(), offset);
    EXPECT_EQ(offset < model.decayed_size(), decays) << parameter.info.name;
    total += parameter.value.size();
    if (decays) decayed += parameter.value.size();
  }
  EXPECT_EQ(model.decayed_size(), decayed);
  EXPECT_EQ(model.trained_values().size(), total);
}

TEST(Decoder, ReadsNamesWithThePrefixOfACausalModel) {
  const TempFolder folder;
  write_tiny_model(folder / "plain");
  write_tiny_model(folder / "prefixed", {.prefix = "transformer."});
  EXPECT_EQ(Model(folder / "plain", "reference").hidden(), Model(folder / "prefixed", "reference").hidden());
}

TEST(Decoder, NamesATensorThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const char* broken : {"word_embeddings.weight", "h.1.mlp.dense_h_to_4h.weight", "ln_f.bias"}) {
      const TempFolder folder;
      write_tiny_model(folder.path(), {.change = [&](std::string_view name, std::vector<float>& numbers) {
                         if (name == broken) numbers.back() = bad;
                       }});
      try {
        Model setup(folder.path(), "cpu");
        FAIL() << broken << " was accepted";
      } catch (const UserError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr(broken));
        EXPECT_THAT(error.what(), ::testing::HasSubstr("model.safetensors"));
      }
    }
  }
}

}  // namespace
}  // namespace sgpt
