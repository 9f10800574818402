// What follows the pooling: Dense and Normalize modules in the folder's order, and shorter embeddings.
#include "model/embedding_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "model/convert.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Vector = std::vector<float>;

struct TestDense {
  std::size_t in, out;
  bool bias, tanh;
  Vector weight = {}, biases = {};
};

class EmbeddingHeadTest : public ::testing::TestWithParam<const char*> {
 protected:
  EmbeddingHeadTest() { testing::write_tiny_model(model_, {.pooling = "mean"}); }

  Vector random(std::size_t count) {
    Vector values(count);
    for (float& value : values) value = std::uniform_real_distribution<float>(-0.5f, 0.5f)(random_);
    return values;
  }
  /// Writes a Dense module into the model's folder.
  TestDense put_dense(const std::string& name, TestDense dense) {
    dense.weight = random(dense.in * dense.out);
    dense.biases = random(dense.out);
    fs::create_directories(model_ / name);
    testing::tiny::write(model_ / name / "config.json",
                         R"({"in_features":)" + std::to_string(dense.in) + R"(,"out_features":)" +
                             std::to_string(dense.out) + R"(,"bias":)" + (dense.bias ? "true" : "false") +
                             R"(,"activation_function":"torch.nn.modules.)" +
                             (dense.tanh ? "activation.Tanh" : "linear.Identity") + "\"}");
    const auto tensor = [](const char* tensor_name, const Vector& values, std::vector<std::int64_t> shape) {
      TensorToWrite made;
      made.name = tensor_name;
      made.shape = std::move(shape);
      made.bytes = std::as_bytes(std::span(values));
      return made;
    };
    const auto in = static_cast<std::int64_t>(dense.in), out = static_cast<std::int64_t>(dense.out);
    std::vector<TensorToWrite> tensors{tensor("linear.weight", dense.weight, {out, in})};
    if (dense.bias) tensors.push_back(tensor("linear.bias", dense.biases, {out}));
    write_safetensors(model_ / name / "model.safetensors", tensors);
    return dense;
  }
  void put_modules(const std::vector<std::string>& behind) {
    std::string json = R"([{"path":"","type":"sentence_transformers.models.Transformer"},)"
                       R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
    for (const std::string& name : behind) {
      json += R"(,{"path":")" + name + R"(","type":"sentence_transformers.models.)" + name.substr(2) + "\"}";
    }
    testing::tiny::write(model_ / "modules.json", json + "]");
  }
  Encoder load(EncoderOptions options = {}) {
    options.brackets = false;
    options.backend = GetParam();
    return Encoder::load(model_, options);
  }
  static Vector applied(const TestDense& dense, const Vector& x) {
    Vector y(dense.out);
    for (std::size_t o = 0; o < dense.out; ++o) {
      double sum = dense.bias ? dense.biases[o] : 0;
      for (std::size_t i = 0; i < dense.in; ++i) sum += double{dense.weight[o * dense.in + i]} * x[i];
      y[o] = static_cast<float>(dense.tanh ? std::tanh(sum) : sum);
    }
    return y;
  }
  static Vector scaled(Vector x) {
    double squares = 0;
    for (const float value : x) squares += double{value} * value;
    for (float& value : x) value = static_cast<float>(value / std::sqrt(squares));
    return x;
  }
  static void expect_near(std::span<const float> found, const Vector& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found[i], expected[i], 2e-5) << i;
  }

  std::mt19937 random_{3};
  testing::TempFolder home_;
  fs::path model_ = home_ / "model";
  std::vector<std::string> texts_{"the thing", "on", std::string(50, 'y'), "and the rest"};
};
INSTANTIATE_TEST_SUITE_P(Backends, EmbeddingHeadTest, ::testing::Values("reference", "cpu"));

TEST_P(EmbeddingHeadTest, ModulesAreAppliedInTheirOrder) {
  const Embeddings pooled = load().encode_documents(texts_);
  const TestDense wide = put_dense("2_Dense", {32, 48, true, true});
  const TestDense narrow = put_dense("4_Dense", {48, 20, false, false});
  put_modules({"2_Dense", "3_Normalize", "4_Dense", "5_Normalize"});
  const Encoder encoder = load();
  EXPECT_EQ(encoder.dimension(), 20);
  EXPECT_TRUE(*encoder.options().normalize);
  const Embeddings found = encoder.encode_documents(texts_);
  for (std::int64_t text = 0; text < found.rows; ++text) {
    const auto row = pooled.row(text);
    const Vector expected = scaled(applied(narrow, scaled(applied(wide, {row.begin(), row.end()}))));
    expect_near(found.row(text), expected);
    // alone, the same bits
    const Embeddings alone = encoder.encode_documents(std::span(texts_).subspan(static_cast<std::size_t>(text), 1));
    EXPECT_TRUE(std::equal(alone.values.begin(), alone.values.end(), found.row(text).begin()));
  }
  const Embeddings whole = load({.normalize = false}).encode_documents(texts_);
  expect_near(found.row(1), scaled({whole.row(1).begin(), whole.row(1).end()}));
}

TEST_P(EmbeddingHeadTest, AShorterEmbeddingIsCutAndThenScaledWhereTheModelScales) {
  const Embeddings whole = load().encode_documents(texts_);
  const Encoder cut = load({.truncate_dim = 5});
  EXPECT_EQ(cut.dimension(), 5);
  const Embeddings unscaled = cut.encode_documents(texts_);
  put_modules({"2_Normalize"});
  const Embeddings scaled_ones = load({.truncate_dim = 5}).encode_documents(texts_);
  for (std::int64_t text = 0; text < whole.rows; ++text) {
    const Vector first(whole.row(text).begin(), whole.row(text).begin() + 5);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), unscaled.row(text).begin()));
    expect_near(scaled_ones.row(text), scaled(first));
  }
  for (const std::int64_t wrong : {0, 33}) {
    EXPECT_THAT([&] { load({.truncate_dim = wrong}); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("truncate_dim"), HasSubstr("1 to 32"))));
  }
  EXPECT_EQ(load({.truncate_dim = 32}).dimension(), 32);
}

TEST_P(EmbeddingHeadTest, WhatDoesNotFitIsRefusedByName) {
  put_modules({"2_Dense"});
  put_dense("2_Dense", {31, 8, true, true});
  EXPECT_THAT([&] { load(); }, ThrowsMessage<UserError>(AllOf(HasSubstr("2_Dense/config.json: in_features"),
                                                              HasSubstr("expected 32"), HasSubstr("found 31"))));
  put_dense("2_Dense", {32, 8, true, true});
  EXPECT_THAT(
      [&] {
        load({.pooling = {PoolingMode::mean, PoolingMode::cls}});
      },
      ThrowsMessage<UserError>(HasSubstr("expected 64")));
  const auto refused = [&](const std::string& config, const char* message) {
    testing::tiny::write(model_ / "2_Dense/config.json", config);
    EXPECT_THAT([&] { load(); }, ThrowsMessage<UserError>(AllOf(HasSubstr("2_Dense"), HasSubstr(message)))) << config;
  };
  refused(R"({"in_features":32,"out_features":9})", "linear.weight");
  refused(R"({"in_features":32,"out_features":8,"bias":false})", "bias");
  refused(R"({"in_features":32,"out_features":0})", "out_features");
  refused(R"({"in_features":32,"out_features":8,"activation_function":"torch.nn.modules.activation.ReLU"})",
          "Identity");
  refused(R"({"in_features":32,"out_features":8,"module_output_name":"token_embeddings"})", "module_output_name");
  fs::remove(model_ / "2_Dense/model.safetensors");
  refused(R"({"in_features":32,"out_features":8})", "weights");
}

TEST_P(EmbeddingHeadTest, ADenseModuleIsPartOfTheModel) {
  put_modules({"2_Dense", "3_Normalize"});
  put_dense("2_Dense", {32, 8, true, true});
  const std::string identity = model_identity(load());
  const Embeddings expected = load().encode_documents(texts_);
  convert_model(model_, home_ / "converted", {.type = WeightType::f32});
  const Encoder converted = Encoder::load(home_ / "converted", {.brackets = false, .backend = GetParam()});
  EXPECT_EQ(converted.encode_documents(texts_).values, expected.values);
  put_dense("2_Dense", {32, 8, true, true});
  EXPECT_NE(model_identity(load()), identity);
}

}  // namespace
}  // namespace sgpt
