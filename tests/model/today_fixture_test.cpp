// Decoders of today against `transformers`: hidden states and poolings of the ids in the fixtures, the gradients of a
// training step, and frequencies of rotary positions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "expected_tensors.h"
#include "fixtures.h"
#include "model/decoder.h"
#include "model/model_folder.h"
#include "sgpt/pooling.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using nlohmann::json;

constexpr float kTolerance = 1e-4f;  // of the largest expected value
constexpr float kTurns = 1e-5f;      // of each frequency

using testing::expect_close;
using testing::read_tensors;
using testing::Tensors;

/// A model whose architecture sgpt runs; which of them those are, the test below says.
struct Loaded {
  Loaded(const std::filesystem::path& folder, const char* name, const TrainedParameters& which = {})
      : backend(make_backend(name)),
        checkpoint(Checkpoint::open(folder)),
        model(*backend, checkpoint, read_architecture(folder / "config.json"), which),
        arena(backend->memory()) {}

  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;
  Decoder model;
  Arena arena;
};

class TodayFixture : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Backends, TodayFixture, ::testing::Values("reference", "cpu"));

TEST_P(TodayFixture, HiddenStatesAndPoolingsAgree) {
  const std::vector<PoolingMode> modes{PoolingMode::cls,           PoolingMode::max,          PoolingMode::mean,
                                       PoolingMode::mean_sqrt_len, PoolingMode::weightedmean, PoolingMode::lasttoken};
  for (const auto& folder : testing::today_fixtures("models")) {
    SCOPED_TRACE(folder.string());
    const Tensors expected = read_tensors(folder / "encode_expected.safetensors");
    Loaded loaded(folder, GetParam());
    const json cases = json::parse(std::ifstream(folder / "encode_cases.json"));
    TokenBatch batch;
    for (const json& one : cases) batch.add(one.at("ids").get<std::vector<std::int32_t>>());
    const std::int64_t d = loaded.model.config().hidden, wide = d * std::ssize(modes);
    const PackedTexts texts = loaded.backend->place(batch, loaded.arena);
    const Matrix hidden = loaded.model.forward(texts, loaded.arena);
    const Matrix pooled = loaded.arena.take(batch.texts(), wide);
    loaded.backend->pool(texts, hidden, modes, pooled);
    int compared = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      for (std::size_t m = 0; m < modes.size(); ++m) {
        const std::string name = std::to_string(i) + "." + std::string(name_of(modes[m]));
        const auto want = expected.find(name);
        if (want == expected.end()) continue;
        const float* row = pooled.f32_row(static_cast<std::int64_t>(i)) + static_cast<std::int64_t>(m) * d;
        expect_close({row, static_cast<std::size_t>(d)}, want->second, kTolerance, name);
        ++compared;
      }
      const auto states = expected.find(std::to_string(i) + ".last_hidden_state");
      if (states == expected.end()) continue;
      const std::int64_t first = batch.offsets[i], count = batch.offsets[i + 1] - first;
      expect_close({hidden.f32_row(first), static_cast<std::size_t>(count * d)}, states->second, kTolerance,
                   states->first);
      ++compared;
    }
    EXPECT_GT(compared, std::ssize(cases)) << "the fixture's numbers have other names";
  }
}

/// The loss of a batch with its ids, and the gradients of all parameters, as training has them.
double loss_and_gradients(Loaded& loaded, const json& ids, PoolingMode mode, float scale) {
  Backend& backend = *loaded.backend;
  Arena& arena = loaded.arena;
  TokenBatch batch;
  for (const char* kind : {"queries", "documents"}) {
    for (const json& text : ids.at(kind)) batch.add(text.get<std::vector<std::int32_t>>());
  }
  const std::int64_t queries = std::ssize(ids.at("queries")), documents = batch.texts() - queries;
  const std::int64_t d = loaded.model.config().hidden;
  const std::vector<PoolingMode> modes{mode};
  const PackedTexts texts = backend.place(batch, arena);
  Activations kept;
  const Matrix hidden = loaded.model.forward(texts, arena, kept);
  const Matrix e = arena.take(batch.texts(), d), de = arena.take(batch.texts(), d),
               norms = arena.take(batch.texts(), 1);
  backend.pool(texts, hidden, modes, e);
  backend.normalize_rows(e, e, norms);
  const Matrix q = e.slice(0, queries), p = e.slice(queries, documents);
  const Matrix scores = arena.take(queries, documents);
  backend.matmul(q, false, p, true, scale, scores);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(queries));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i);
  const double loss = backend.cross_entropy(scores, labels);
  backend.matmul(scores, false, p, false, scale, de.slice(0, queries));
  backend.matmul(scores, true, q, false, scale, de.slice(queries, documents));
  backend.normalize_rows_backward(e, norms, de, de);
  const Matrix dhidden = arena.take(hidden.rows, d);
  backend.pool_backward(texts, hidden, modes, de, dhidden);
  loaded.model.backward(texts, kept, dhidden, arena);
  return loss;
}

/// Trained parameters, by what train_NAME.json says.
TrainedParameters trained_of(const std::filesystem::path& train_json) {
  const std::string stem = train_json.stem().string();
  const std::string part = stem == "train_bitfit" ? "bias" : stem == "train_norms" ? "norm" : "";
  return {[part](std::string_view name) { return name.find(part) != std::string_view::npos; },
          [](std::string_view) { return false; }};
}

/// Of the fixtures whose training says the ids of its first batch.
TEST_P(TodayFixture, GradientsAgree) {
  int compared = 0;
  for (const auto& folder : testing::today_fixtures("models")) {
    for (const char* name : {"train_full", "train_bitfit", "train_norms"}) {
      const std::filesystem::path file = folder / (std::string(name) + ".json");
      if (!exists(file)) continue;
      const json training = json::parse(std::ifstream(file));
      if (!training.contains("ids")) continue;
      SCOPED_TRACE(file.string());
      Loaded loaded(folder, GetParam(), trained_of(file));
      const auto mode = pooling_mode_from(training.at("pooling").get<std::string>());
      ASSERT_TRUE(mode);
      const double loss = loss_and_gradients(loaded, training.at("ids"), *mode, training.at("scale"));
      EXPECT_NEAR(loss, training.at("log").at(0).at("loss").get<double>(), 1e-4 * std::abs(loss));
      const Tensors expected = read_tensors(folder / (std::string(name) + "_grads.safetensors"));
      std::size_t trained = 0;
      for (const Parameter& parameter : loaded.model.parameters()) {
        if (!parameter.trained()) continue;
        ++trained;
        auto want = expected.find(parameter.info.name);
        if (want == expected.end()) want = expected.find("model." + parameter.info.name);
        ASSERT_NE(want, expected.end()) << parameter.info.name;
        expect_close({parameter.gradient.f32(), static_cast<std::size_t>(parameter.gradient.size())}, want->second,
                     kTolerance, parameter.info.name);
      }
      EXPECT_EQ(trained, expected.size());
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(RotaryFixture, FrequenciesAgree) {
  for (const auto& file : testing::today_fixtures("rope")) {
    for (const json& one : json::parse(std::ifstream(file))) {
      SCOPED_TRACE(one.at("label").get<std::string>());
      const testing::TempFolder folder;
      json config{{"num_hidden_layers", 1}, {"vocab_size", 9}, {"intermediate_size", 8}};
      config.update(one.at("config"));
      const Architecture read = read_architecture(folder.write("config.json", config.dump()));
      const auto expected = one.at("inv_freq").get<std::vector<float>>();
      const std::vector<float> found = rotary_frequencies(read.rotary, read.head_dim());
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kTurns * expected[i]);
      EXPECT_NEAR(read.rotary.attention_factor, one.at("attention_scaling").get<double>(), 1e-9);
    }
  }
}

}  // namespace
}  // namespace sgpt
