// New models: their numbers, that a seed decides them alone, and how much memory sizes take.
#include "model/random_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

#include "model/decoder.h"
#include "model/describe.h"
#include "model/memory_plan.h"

namespace sgpt {
namespace {

const Architecture kSmall = make_architecture("bloom", {64, 2, 4, 5000});  // an embedding of several pieces' blocks

std::vector<float> values_of(const TensorToWrite& tensor, std::size_t piece) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(tensor.shape)));
  const auto bytes = std::as_writable_bytes(std::span(values));
  for (std::size_t first = 0; first < bytes.size(); first += piece) {
    tensor.fill(first, bytes.subspan(first, std::min(piece, bytes.size() - first)));
  }
  return values;
}

const TensorToWrite& named(const std::vector<TensorToWrite>& weights, const char* name) {
  for (const TensorToWrite& tensor : weights) {
    if (tensor.name == name) return tensor;
  }
  throw std::out_of_range(name);
}

TEST(RandomWeights, HaveTheDistributionOfANewModel) {
  const auto weights = random_weights(kSmall, 0);
  EXPECT_EQ(weights.size(), decoder_parameters(kSmall).size());
  for (const char* name : {"word_embeddings.weight", "h.1.mlp.dense_h_to_4h.weight"}) {
    const std::vector<float> values = values_of(named(weights, name), 4 << 20);
    double sum = 0;
    double squares = 0;
    for (const float value : values) sum += value, squares += double{value} * value;
    const auto count = static_cast<double>(values.size());
    EXPECT_NEAR(sum / count, 0, 5 * 0.02 / std::sqrt(count)) << name;
    EXPECT_NEAR(std::sqrt(squares / count), 0.02, 5 * 0.02 / std::sqrt(2 * count)) << name;
    EXPECT_GT(std::set<float>(values.begin(), values.end()).size(), values.size() * 9 / 10) << "numbers repeat";
  }
  for (const float bias : values_of(named(weights, "h.0.self_attention.dense.bias"), 4 << 20)) EXPECT_EQ(bias, 0);
  for (const float weight : values_of(named(weights, "ln_f.weight"), 4 << 20)) EXPECT_EQ(weight, 1);
}

TEST(RandomWeights, DependOnTheSeedAlone) {
  const char* name = "word_embeddings.weight";
  const auto values = values_of(named(random_weights(kSmall, 7), name), 4 << 20);
  EXPECT_EQ(values, values_of(named(random_weights(kSmall, 7), name), 1 << 16)) << "pieces of another size";
  EXPECT_NE(values, values_of(named(random_weights(kSmall, 8), name), 4 << 20));
  const auto other = values_of(named(random_weights(kSmall, 7), "h.0.self_attention.dense.weight"), 4 << 20);
  EXPECT_NE(values.front(), other.front());
}

TEST(MemoryPlan, CountsTheParametersOfKnownModels) {
  EXPECT_EQ(parameter_count(make_architecture("bloom", {1024, 24, 16, 250880})), 559'214'592);
  EXPECT_EQ(parameter_count(make_architecture("bloom", {4096, 30, 32, 250880})), 7'069'016'064);
}

}  // namespace
}  // namespace sgpt
