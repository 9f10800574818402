// A decoder with a loss of its own, to be compared with finite differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "model/model_folder.h"

namespace sgpt::testing {

inline TrainedParameters all_of_them() {
  return {[](std::string_view) { return true; }, [](std::string_view name) { return name.find("bias") == name.npos; }};
}

inline TrainedParameters only(std::string wanted) {
  return {[wanted](std::string_view name) { return name == wanted; }, [](std::string_view) { return false; }};
}

/// A model with its backend and checkpoint, and a batch of four texts, one of them empty.
struct Model {
  Model(const std::filesystem::path& folder, const char* backend_name, const TrainedParameters& which = {})
      : backend(make_backend(backend_name)),
        checkpoint(Checkpoint::open(folder)),
        model(*backend, checkpoint, read_model_folder(folder).config, which),
        arena(backend->memory()) {
    std::mt19937 random(7);
    for (const std::size_t length : {5, 0, 1, 9}) {
      std::vector<std::int32_t> text(length);
      for (auto& id : text) id = static_cast<std::int32_t>(random() % static_cast<unsigned>(model.config().vocabulary));
      batch.add(text);
    }
  }

  std::vector<float> hidden() {
    const Arena::Scope scope(arena);
    const PackedTexts texts = backend->place(batch, arena);
    const Matrix h = model.forward(texts, arena);
    return {h.f32(), h.f32() + h.size()};
  }

  std::vector<float> weights_of_loss() const {
    std::mt19937 random(11);
    std::vector<float> weights(static_cast<std::size_t>(batch.texts() * model.config().hidden));
    for (float& weight : weights) weight = static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f;
    return weights;
  }

  /// The loss is a weighted sum of the embeddings' numbers.
  double loss() {
    const Arena::Scope scope(arena);
    const PackedTexts texts = backend->place(batch, arena);
    const Matrix h = model.forward(texts, arena);
    const Matrix e = arena.take(batch.texts(), model.config().hidden);
    backend->pool(texts, h, pooling, e);
    const std::vector<float> weights = weights_of_loss();
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += static_cast<double>(weights[i]) * e.f32()[i];
    return sum;
  }

  /// Gradients of the loss, added to the model's.
  void backward(Keep keep = Keep::activations) {
    const Arena::Scope scope(arena);
    const PackedTexts texts = backend->place(batch, arena);
    Activations kept;
    const Matrix h = model.forward(texts, arena, kept, keep);
    std::vector<float> weights = weights_of_loss();
    const Matrix dh = arena.take(h.rows, h.cols);
    backend->pool_backward(texts, h, pooling, Matrix(weights.data(), batch.texts(), model.config().hidden), dh);
    model.backward(texts, kept, dh, arena);
  }

  std::vector<PoolingMode> pooling{PoolingMode::weightedmean};
  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;
  Decoder model;
  Arena arena;
  TokenBatch batch;
};

inline std::vector<float> values(ConstMatrix m) { return {m.f32(), m.f32() + m.size()}; }

inline float largest(const std::vector<float>& values) {
  float result = 0;
  for (const float value : values) result = std::max(result, std::abs(value));
  return result;
}

inline float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

/// The directional derivative of the loss along a direction, by finite differences of the trained values.
inline double derivative(Model& setup, const Parameter& parameter, const std::vector<float>& direction, float step) {
  const std::vector<float> before = values(parameter.value);
  const auto loss_at = [&](float distance) {
    for (std::size_t i = 0; i < before.size(); ++i) parameter.value.f32()[i] = before[i] + distance * direction[i];
    setup.model.values_changed();
    return setup.loss();
  };
  const double difference = loss_at(step) - loss_at(-step);
  std::copy(before.begin(), before.end(), parameter.value.f32());
  setup.model.values_changed();
  return difference / (2.0 * static_cast<double>(step));
}

/// What a forward pass keeps of 32 tokens takes as many bytes as kept_bytes says, for models whose rows need no
/// padding.
inline void expect_kept_bytes(Model& setup) {
  constexpr std::int64_t kTokens = 32;
  setup.batch = {};
  setup.batch.add(std::vector<std::int32_t>(static_cast<std::size_t>(kTokens), 5));
  for (const Keep keep : {Keep::inputs, Keep::activations}) {
    Arena arena(setup.backend->memory());
    const std::size_t said = setup.model.kept_bytes(kTokens, keep);
    const Matrix all = arena.take(1, static_cast<std::int64_t>(said / sizeof(float)));
    arena.release({});
    const PackedTexts texts = setup.backend->place(setup.batch, setup.arena);
    Activations kept;
    setup.model.forward(texts, arena, kept, keep);
    const Matrix next = arena.take(1, 1);
    EXPECT_EQ(static_cast<std::byte*>(next.data) - static_cast<std::byte*>(all.data),
              static_cast<std::ptrdiff_t>(said));
  }
}

}  // namespace sgpt::testing
