// A step of the trainer: chunking changes nothing, the optimiser is AdamW in plain doubles, freezing holds what it
// says.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "base/threads.h"
#include "encode/text_preparation.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

std::vector<TextExample> examples() {
  return {
      {"the thing and the other", "an answer on the thing", {"on another road", "in the tin"}},
      {"a", "b c d e f g h i j k l m n o p q r s t u v w x y z and on and on and on", {"", "x"}},
      {"there", "here and there", {"nowhere", "over there in the thin air"}},
      {"singing in the rain", "the rain is singing", {"the sun is shining and shining", "snow"}},
      {"numbers 1 2 3", "4 5 6", {"one two three", "seven"}},
  };
}

struct Settings {
  std::string backend = "reference";
  Freezing freezing;
  TrainerOptions options;
  bool brackets = true;
};

/// A tiny model with its trainer.
class Training {
 public:
  Training(const std::filesystem::path& model, const Settings& setup)
      : folder_(read_model_folder(model)),
        backend_(make_backend(setup.backend)),
        checkpoint_(Checkpoint::open(folder_.transformer)),
        preparation_(Tokenizer::load(folder_.tokenizer_file()), folder_, {.brackets = setup.brackets}),
        model_(*backend_, checkpoint_, folder_.config, trained_parameters(setup.freezing)),
        trainer_(*backend_, model_, setup.options) {}

  TrainingBatch batch() const { return make_batch(preparation_, examples()); }
  StepResult step() { return trainer_.step(batch()); }
  Trainer& trainer() { return trainer_; }
  Decoder& model() { return model_; }

  std::vector<float> values() const { return downloaded(model_.trained_values()); }
  std::vector<float> gradients() const { return downloaded(model_.trained_gradients()); }

 private:
  std::vector<float> downloaded(ConstMatrix device) const {
    std::vector<float> host(static_cast<std::size_t>(device.size()));
    model_.backend().download(device, Matrix(host.data(), device.rows, device.cols));
    return host;
  }

  ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  Checkpoint checkpoint_;
  TextPreparation preparation_;
  Decoder model_;
  Trainer trainer_;
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

class TrainerTest : public ::testing::TestWithParam<std::string> {
 protected:
  TrainerTest() : folder_(testing::write_tiny_model(temp_.path() / "model")) {}

  Settings settings() const {
    Settings result;
    result.backend = GetParam();
    result.options.pooling = {PoolingMode::weightedmean};
    result.options.learning_rate = 1e-3;
    result.options.warmup_steps = 0;
    result.options.total_steps = 100;
    return result;
  }

  testing::TempFolder temp_;
  std::filesystem::path folder_;
};

TEST_P(TrainerTest, ChunkSizeChangesNothingButRounding) {
  for (const bool bitfit : {true, false}) {
    Settings whole = settings();
    whole.freezing.non_bias = bitfit;
    Training expected(folder_, whole);
    const GradCache::Result one = expected.trainer().gradients(expected.batch());
    EXPECT_EQ(one.chunks, 1);
    EXPECT_EQ(one.twice + one.from_inputs, 0);
    for (const std::int64_t size : {1, 2, 3, 5, 100}) {
      Settings chunked = whole;
      chunked.options.chunk_size = size;
      Training run(folder_, chunked);
      const GradCache::Result result = run.trainer().gradients(run.batch());
      EXPECT_EQ(result.chunks, (5 + size - 1) / size);
      EXPECT_NEAR(result.loss, one.loss, 1e-6);
      EXPECT_LE(largest_difference(run.gradients(), expected.gradients()), 2e-6) << "chunks of " << size;
    }
  }
}

TEST_P(TrainerTest, AccumulatedGradientsAreTheMeanOfTheBatches) {
  for (const std::int64_t chunk_size : {0, 2}) {
    Settings accumulating = settings();
    accumulating.options.chunk_size = chunk_size;
    Training run(folder_, accumulating);
    const TrainingBatch all = run.batch();
    std::vector<TrainingBatch> batches;
    for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 3}}) {
      TrainingBatch& batch = batches.emplace_back();
      for (const TokenBatch& column : all.columns) {
        TokenBatch& part = batch.columns.emplace_back();
        for (std::size_t i = first; i < first + count; ++i) {
          const auto begin = static_cast<std::size_t>(column.offsets[i]);
          const auto end = static_cast<std::size_t>(column.offsets[i + 1]);
          part.add(std::span(column.ids).subspan(begin, end - begin));
        }
      }
    }
    std::vector<float> mean(static_cast<std::size_t>(run.trainer().trained_size()));
    double loss = 0;
    for (const TrainingBatch& batch : batches) {
      loss += run.trainer().gradients(batch).loss / 2;
      const std::vector<float> own = run.gradients();
      for (std::size_t i = 0; i < own.size(); ++i) mean[i] += own[i] / 2;
    }
    const std::vector<float> before = run.values();
    const StepResult step = run.trainer().step(batches);
    EXPECT_NEAR(step.loss, loss, 1e-6);
    EXPECT_EQ(step.tokens, all.tokens());
    EXPECT_LE(largest_difference(run.gradients(), mean), 2e-6);
    EXPECT_FALSE(same_bits(run.values(), before));
    EXPECT_EQ(run.trainer().state().step, 1);
  }
}

TEST_P(TrainerTest, WhatIsKeptChangesNotABit) {
  for (const bool bitfit : {true, false}) {
    Settings none = settings();
    none.freezing.non_bias = bitfit;
    none.options.chunk_size = 1;
    Training expected(folder_, none);
    const GradCache::Result least = expected.trainer().gradients(expected.batch());
    EXPECT_EQ(least.twice, 5);
    EXPECT_NEAR(least.computed_again, 5.0 / 3, 1e-9);
    double again = least.computed_again;
    bool some_from_inputs = false;
    for (const std::size_t memory : {30'000, 60'000, 100'000, 200'000, 400'000, 100'000'000}) {
      Settings some = none;
      some.options.activation_memory = memory;
      Training run(folder_, some);
      const GradCache::Result result = run.trainer().gradients(run.batch());
      EXPECT_LE(result.computed_again, again) << memory;
      again = result.computed_again;
      some_from_inputs |= result.from_inputs > 0;
      EXPECT_TRUE(same_bits(run.gradients(), expected.gradients())) << memory;
    }
    EXPECT_TRUE(some_from_inputs);
    EXPECT_EQ(again, 0);
  }
}

TEST_P(TrainerTest, ThreadsChangeNotABit) {
  const auto trained = [&](int threads) {
    const ThreadScope scope(threads);
    Training run(folder_, settings());
    run.step();
    run.step();
    return run.values();
  };
  EXPECT_TRUE(same_bits(trained(1), trained(2)));
}

TEST_P(TrainerTest, GradientsAreThoseOfTheLoss) {
  // Along the gradient itself the loss must fall by its squared norm: one finite difference that all parameters share.
  for (const bool bitfit : {true, false}) {
    Settings one = settings();
    one.freezing.non_bias = bitfit;
    one.options.pooling = {PoolingMode::cls, PoolingMode::mean, PoolingMode::weightedmean};
    Training run(folder_, one);
    run.trainer().gradients(run.batch());
    const std::vector<float> gradient = run.gradients();
    double square = 0;
    for (const float g : gradient) square += static_cast<double>(g) * g;
    const std::vector<float> before = run.values();
    const auto loss_at = [&](double distance) {
      std::vector<float> moved = before;
      for (std::size_t i = 0; i < moved.size(); ++i) {
        moved[i] = static_cast<float>(moved[i] + distance / std::sqrt(square) * gradient[i]);
      }
      const Matrix values = run.model().trained_values();
      run.model().backend().upload(Matrix(moved.data(), values.rows, values.cols), values);
      run.model().values_changed();
      return run.trainer().gradients(run.batch()).loss;
    };
    constexpr double kStep = 4e-3;
    const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope / std::sqrt(square), 1, 5e-3);
  }
}

TEST_P(TrainerTest, StepsAreAdamWInPlainDoubles) {
  Settings one = settings();
  one.options.weight_decay = 0.1;
  one.options.warmup_steps = 2;
  one.options.total_steps = 10;
  one.options.max_gradient_norm = 0.5;
  Training run(folder_, one);
  const std::vector<float> start = run.values();
  std::vector<double> p(start.begin(), start.end());
  std::vector<double> m(p.size());
  std::vector<double> v(p.size());
  for (int t = 1; t <= 4; ++t) {
    const StepResult result = run.step();
    const std::vector<float> gradient = run.gradients();
    double square = 0;
    for (const float g : gradient) square += static_cast<double>(g) * g;
    EXPECT_NEAR(result.gradient_norm / std::sqrt(square), 1, 1e-6);
    const double clip = std::min(1.0, 0.5 / (std::sqrt(square) + 1e-6));
    EXPECT_LT(clip, 1);  // or the test would not see clipping
    const double lr = 1e-3 * (t <= 2 ? (t - 1) / 2.0 : (11.0 - t) / 8.0);
    EXPECT_NEAR(result.learning_rate, lr, 1e-12);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradient[i] * clip;
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      p[i] -= lr * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) * m[i] / (std::sqrt(v[i]) + 1e-6);
      if (static_cast<std::int64_t>(i) < run.model().decayed_size()) p[i] -= lr * 0.1 * p[i];
    }
    EXPECT_LE(largest_difference(run.values(), std::vector<float>(p.begin(), p.end())), 2e-6) << "step " << t;
  }
  EXPECT_GT(run.model().decayed_size(), 0);
  EXPECT_LT(run.model().decayed_size(), run.trainer().trained_size());
}

TEST_P(TrainerTest, TheLossFalls) {
  Training run(folder_, settings());
  const double first = run.step().loss;
  double last = first;
  for (int i = 0; i < 20; ++i) last = run.step().loss;
  EXPECT_LT(last, first / 2);
}

TEST_P(TrainerTest, TextsWithoutTokensDoNoHarm) {
  Settings bare = settings();
  bare.brackets = false;
  bare.options.chunk_size = 1;
  Training run(folder_, bare);
  EXPECT_TRUE(std::isfinite(run.step().loss));
  TrainingBatch empty = run.batch();
  for (TokenBatch& column : empty.columns) column = {{}, std::vector<std::int32_t>(6), {}};
  EXPECT_TRUE(std::isfinite(run.trainer().step(empty).loss));
}

TEST_P(TrainerTest, ALossThatIsNoNumberStopsTheRunAndTouchesNothing) {
  Settings hot = settings();
  hot.options.learning_rate = 1e30;
  Training run(folder_, hot);
  std::vector<float> before;
  const auto until_it_fails = [&] {
    for (int i = 0; i < 50; ++i) {
      before = run.values();
      run.step();
    }
  };
  EXPECT_THROW(until_it_fails(), UserError);
  EXPECT_TRUE(same_bits(run.values(), before));
}

TEST_P(TrainerTest, NothingToTrainIsAnError) {
  Settings frozen = settings();
  frozen.freezing.all = true;
  EXPECT_THROW(Training(folder_, frozen), UserError);
}

INSTANTIATE_TEST_SUITE_P(Backends, TrainerTest, ::testing::Values("reference", "cpu"),
                         [](const auto& backend) { return backend.param; });

TEST(Freezing, FollowsTheReference) {
  const auto trained = [](const Freezing& freezing, const char* name) {
    return trained_parameters(freezing).trained(name);
  };
  for (const char* name : {"word_embeddings.weight", "ln_f.weight", "h.0.mlp.dense_h_to_4h.bias"}) {
    EXPECT_TRUE(trained({}, name));
    EXPECT_FALSE(trained({.all = true}, name));
  }
  EXPECT_TRUE(trained({.non_bias = true}, "ln_f.bias"));
  EXPECT_TRUE(trained({.all = true, .non_bias = true}, "ln_f.bias"));
  EXPECT_FALSE(trained({.non_bias = true}, "ln_f.weight"));
  EXPECT_FALSE(trained({.non_bias = true}, "word_embeddings.weight"));
  EXPECT_TRUE(trained({.non_bias = true, .train_embedding = true}, "word_embeddings.weight"));
  EXPECT_TRUE(trained({.all = true, .train_embedding = true}, "word_embeddings.weight"));
  EXPECT_FALSE(trained({.all = true, .train_embedding = true}, "word_embeddings_layernorm.weight"));
}

TEST(WeightDecay, SparesBiasesButNotBloomsLayerNorms) {
  const auto decayed = trained_parameters({}).decayed;
  EXPECT_FALSE(decayed("h.0.mlp.dense_h_to_4h.bias"));
  EXPECT_FALSE(decayed("LayerNorm.weight"));
  EXPECT_TRUE(decayed("h.0.input_layernorm.weight"));
  EXPECT_TRUE(decayed("word_embeddings.weight"));
}

}  // namespace
}  // namespace sgpt
