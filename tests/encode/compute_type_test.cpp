// The compute type of an Encoder: what is chosen, what it costs in quality, and weights that are integers on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "environment.h"
#include "fixtures.h"
#include "model/convert.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tensor/quantize.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<std::string>& texts() {
  static const std::vector<std::string> all{"the thing and the other", "on a ring", "anderer", "x",
                                            "re-entering the inner ring, and then another one: the end"};
  return all;
}

Embeddings embed(const std::filesystem::path& model, const EncoderOptions& options) {
  return Encoder::load(model, options).encode_documents(texts());
}

double least_cosine(const Embeddings& a, const Embeddings& b) {
  double least = 1;
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(a.dimension); ++k) {
      const double x = a.row(i)[k];
      const double y = b.row(i)[k];
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    least = std::min(least, dot / std::sqrt(aa * bb));
  }
  return least;
}

/// Replaces the weights of a model folder: Linear matrices as integers with their scales.
void quantize_model(const std::filesystem::path& folder,
                    const std::function<void(std::vector<TensorToWrite>&)>& change = {}) {
  const std::filesystem::path file = folder / "model.safetensors";
  std::vector<std::vector<std::int8_t>> integers;
  std::vector<std::vector<float>> scales;
  std::vector<TensorToWrite> tensors;
  const Checkpoint checkpoint = Checkpoint::open(folder);
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    if (tensor.shape.size() != 2 || tensor.name == "word_embeddings.weight") {
      tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes, {}});
      continue;
    }
    const std::int64_t rows = tensor.shape[0];
    const std::int64_t cols = tensor.shape[1];
    const std::int64_t blocks = quantization_blocks(cols);
    integers.emplace_back(static_cast<std::size_t>(rows * cols));
    scales.emplace_back(static_cast<std::size_t>(rows * blocks));
    quantize_rows(tensor.matrix(), {integers.back().data(), rows, cols, DType::i8},
                  {scales.back().data(), rows, blocks});
    tensors.push_back({tensor.name, DType::i8, tensor.shape, std::as_bytes(std::span(integers.back())), {}});
    tensors.push_back(
        {tensor.name + "_scales", DType::f32, {rows, blocks}, std::as_bytes(std::span(scales.back())), {}});
  }
  if (change) change(tensors);
  write_safetensors(folder / "new", tensors);
  std::filesystem::rename(folder / "new", file);
}

class ComputeTypeTest : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  std::filesystem::path model_ = testing::write_tiny_model(folder_ / "model", {.hidden = 64});
};

TEST_F(ComputeTypeTest, F32IsWhatF32WeightsGet) {
  EXPECT_EQ(*Encoder::load(model_).options().compute, ComputeType::f32);
  EXPECT_EQ(*Encoder::load(model_, {.compute = ComputeType::automatic}).options().compute, ComputeType::f32);
  EXPECT_EQ(embed(model_, {}).values, embed(model_, {.compute = ComputeType::f32}).values);
}

TEST_F(ComputeTypeTest, EveryTypeThatThisMachineHasIsNearF32) {
  const Embeddings exact = embed(model_, {});
  const Embeddings integers = embed(model_, {.compute = ComputeType::int8});
  EXPECT_NE(integers.values, exact.values);
  EXPECT_GT(least_cosine(integers, exact), 0.999);
  if (!make_backend("cpu")->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  const Embeddings halves = embed(model_, {.compute = ComputeType::bf16});
  EXPECT_NE(halves.values, exact.values);
  EXPECT_GT(least_cosine(halves, exact), 0.9999);
}

TEST_F(ComputeTypeTest, ATextHasTheSameBitsAloneAndInABatch) {
  const Encoder encoder = Encoder::load(model_, {.compute = ComputeType::int8});
  const Embeddings all = encoder.encode_documents(texts());
  for (std::size_t i = 0; i < texts().size(); ++i) {
    const Embeddings one = encoder.encode_documents(std::span(texts()).subspan(i, 1));
    EXPECT_TRUE(std::ranges::equal(one.row(0), all.row(static_cast<std::int64_t>(i)))) << i;
  }
}

TEST_F(ComputeTypeTest, CachesOfEmbeddingsKnowIt) {
  const std::string exact = embedding_options(Encoder::load(model_));
  EXPECT_NE(exact, embedding_options(Encoder::load(model_, {.compute = ComputeType::int8})));
  EXPECT_EQ(exact, embedding_options(Encoder::load(model_, {.compute = ComputeType::automatic})));
}

TEST_F(ComputeTypeTest, AutomaticTakesBf16WhereItIsClearlyFasterFor16BitWeights) {
  const std::filesystem::path halves = folder_ / "halves";
  convert_model(model_, halves, {.type = WeightType::bf16});
  const auto chosen = [](const std::filesystem::path& model) {
    return *Encoder::load(model, {.compute = ComputeType::automatic}).options().compute;
  };
  const bool has_bf16 = make_backend("cpu")->computes(ComputeType::bf16);
  EXPECT_THAT(chosen(halves), ::testing::AnyOf(ComputeType::f32, ComputeType::bf16));  // as it is timed
  {
    const testing::FastBf16 measured;
    EXPECT_EQ(chosen(halves), has_bf16 ? ComputeType::bf16 : ComputeType::f32);
    EXPECT_EQ(chosen(model_), ComputeType::f32);  // of f32
  }
  const testing::SlowBf16 measured;
  EXPECT_EQ(chosen(halves), ComputeType::f32);
}

TEST_F(ComputeTypeTest, WhatKeepsEmbeddingsKnowsTheKernelOfBf16) {
  const Encoder encoder = Encoder::load(model_);
  EXPECT_EQ(embedding_key(encoder, TextKind::query), embedding_options(encoder));
  EXPECT_EQ(embedding_key(encoder, TextKind::query, ComputeType::int8),
            embedding_options(Encoder::load(model_, {.compute = ComputeType::int8})));
  if (!make_backend("cpu")->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  const Encoder halves = Encoder::load(model_, {.compute = ComputeType::bf16});
  EXPECT_EQ(embedding_key(halves, TextKind::query),
            embedding_options(halves) + " kernel=" + encoder.parts().backend->kernel_name(ComputeType::bf16));
  EXPECT_EQ(embedding_key(encoder, TextKind::query, ComputeType::bf16), embedding_key(halves, TextKind::query));
}

TEST_F(ComputeTypeTest, WhatABackendCannotComputeIsRefusedByName) {
  EXPECT_THAT([&] { Encoder::load(model_, {.backend = "reference", .compute = ComputeType::int8}); },
              ThrowsMessage<UserError>(HasSubstr("the reference backend cannot compute in int8")));
}

TEST_F(ComputeTypeTest, IntegersOnTheDiskComputeAsThoseMadeWhenLoading) {
  const Embeddings made = embed(model_, {.compute = ComputeType::int8});
  const Embeddings exact = embed(model_, {});
  quantize_model(model_);
  EXPECT_EQ(*Encoder::load(model_).options().compute, ComputeType::int8);
  EXPECT_EQ(embed(model_, {}).values, made.values);
  // In f32 what they stand for is computed with, in either backend.
  for (const char* backend : {"cpu", "reference"}) {
    const Embeddings floats = embed(model_, {.backend = backend, .compute = ComputeType::f32});
    EXPECT_GT(least_cosine(floats, exact), 0.999) << backend;
  }
  EXPECT_EQ(*Encoder::load(model_, {.backend = "reference"}).options().compute, ComputeType::f32);
}

TEST_F(ComputeTypeTest, TrainingRefusesIntegersWhenItBegins) {
  quantize_model(model_);
  const auto backend = make_backend("cpu");
  const Checkpoint checkpoint = Checkpoint::open(model_);
  const Architecture config = read_model_folder(model_).config;
  TrainedParameters biases;
  biases.trained = [](std::string_view name) { return name.ends_with("bias"); };
  EXPECT_THAT([&] { Decoder(*backend, checkpoint, config, biases); },
              ThrowsMessage<UserError>(::testing::AllOf(HasSubstr("f32, f16 or bf16"), HasSubstr("found i8"))));
}

TEST_F(ComputeTypeTest, BrokenScalesAreNamed) {
  const std::string name = "h.1.mlp.dense_4h_to_h.weight_scales";
  const auto find = [&](std::vector<TensorToWrite>& tensors) {
    return std::find_if(tensors.begin(), tensors.end(), [&](const TensorToWrite& t) { return t.name == name; });
  };
  const std::vector<float> infinite(64, INFINITY);
  const std::pair<std::function<void(std::vector<TensorToWrite>&)>, const char*> damages[] = {
      {[&](auto& tensors) { tensors.erase(find(tensors)); }, "no tensor \"h.1.mlp.dense_4h_to_h.weight_scales\""},
      {[&](auto& tensors) {
         find(tensors)->shape = {1, 64};
       },
       "asks for the shape [64, 1], found [1, 64]"},
      {[&](auto& tensors) { find(tensors)->type = DType::i32; }, "expected scales of f32, found i32"},
      {[&](auto& tensors) { find(tensors)->bytes = std::as_bytes(std::span(infinite)); }, "a NaN or an infinity"},
  };
  int number = 0;
  for (const auto& [damage, message] : damages) {
    const auto broken = testing::write_tiny_model(folder_ / std::to_string(number++), {.hidden = 64});
    quantize_model(broken, damage);
    EXPECT_THAT([&] { Encoder::load(broken); },
                ThrowsMessage<UserError>(::testing::AllOf(HasSubstr(message), HasSubstr(name))));
  }
}

TEST(ComputeTypeFixture, TypesAreNearF32OnEveryModel) {
  const auto folders = testing::fixtures("models");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    std::ifstream in(folder / "encode_cases.json");
    std::vector<std::string> all;
    for (const auto& entry : nlohmann::json::parse(in)) all.push_back(entry.at("text"));
    const auto encode = [&](ComputeType type) {
      return Encoder::load(folder, {.brackets = true, .compute = type}).encode_documents(all);
    };
    const Embeddings exact = encode(ComputeType::f32);
    EXPECT_GT(least_cosine(encode(ComputeType::int8), exact), 0.999) << folder;
    if (make_backend("cpu")->computes(ComputeType::bf16)) {
      EXPECT_GT(least_cosine(encode(ComputeType::bf16), exact), 0.9999) << folder;
    }
  }
}

}  // namespace
}  // namespace sgpt
