#include "model/dense.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "formats/json_file.h"
#include "model/checkpoint.h"
#include "model/finite.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kMostFeatures = std::int64_t{1} << 20;

std::int64_t features(const JsonFile& config, const char* key) {
  const std::int64_t count = config.integer(key).value_or(0);
  if (count < 1 || count > kMostFeatures) config.fail(key, fmt::format("a number from 1 to {}", kMostFeatures));
  return count;
}

/// The module works on embeddings; versions from 5.1 on may have it work on something else.
void require_embeddings(const JsonFile& config) {
  for (const char* key : {"module_input_name", "module_output_name"}) {
    if (config.string(key).value_or("sentence_embedding") != "sentence_embedding") {
      config.fail(key, "sentence_embedding: sgpt applies a Dense module to embeddings alone");
    }
  }
}

/// The tensor as f32, every number of which is one.
std::vector<float> floats_of(const CheckpointTensor& tensor) {
  const ConstMatrix matrix = tensor.matrix();
  if (!all_finite(matrix)) {
    throw UserError(fmt::format("{}: tensor {} holds a NaN or an infinity", tensor.file.string(), tensor.name));
  }
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(matrix.size()));
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    for (std::int64_t col = 0; col < matrix.cols; ++col) values.push_back(float_at(matrix, row, col));
  }
  return values;
}

}  // namespace

DenseConfig read_dense_config(const std::filesystem::path& folder) {
  const JsonFile config(folder / "config.json");
  require_embeddings(config);
  DenseConfig result;
  result.in = features(config, "in_features");
  result.out = features(config, "out_features");
  result.bias = config.boolean("bias").value_or(true);
  const std::string function =
      config.string("activation_function").value_or("torch.nn.modules.activation.Tanh");  // the library's default
  const std::string name = function.substr(function.rfind('.') + 1);
  if (name != "Tanh" && name != "Identity") {
    config.fail("activation_function",
                "torch.nn.modules.linear.Identity or torch.nn.modules.activation.Tanh, which sgpt computes");
  }
  result.tanh = name == "Tanh";
  return result;
}

void copy_dense(const std::filesystem::path& from, const std::filesystem::path& to) {
  write_file(to / "config.json", MappedFile(from / "config.json").text());
  for (const auto& file : Checkpoint::open(from).files()) write_file(to / file.filename(), MappedFile(file).text());
}

Dense::Dense(Backend& backend, const std::filesystem::path& folder, const DenseConfig& config)
    : backend_(&backend), config_(config) {
  const Checkpoint weights = Checkpoint::open(folder);
  const std::vector<float> matrix = floats_of(weights.require("linear.weight", std::array{config.out, config.in}));
  weight_ = backend.pack({matrix.data(), config.out, config.in}, WeightUse::forward);
  if (!config.bias) {
    if (weights.find("linear.bias")) {
      throw UserError(fmt::format("{}: bias: expected true, for the weights have a linear.bias, found false",
                                  (folder / "config.json").string()));
    }
    return;
  }
  std::vector<float> bias = floats_of(weights.require("linear.bias", std::array{config.out}));
  bias_ = Buffer(backend.memory(), bias.size() * sizeof(float));
  backend.upload(ConstMatrix(bias.data(), 1, config.out), Matrix(bias_.data(), 1, config.out));
}

void Dense::forward(ConstMatrix x, Matrix y) const {
  const ConstMatrix bias(bias_.data(), bias_.data() ? 1 : 0, bias_.data() ? config_.out : 0);
  backend_->linear(x, *weight_, bias, y, Epilogue::none);
  if (!config_.tanh) return;
  std::vector<float> values(static_cast<std::size_t>(y.size()));  // few: a row is a text
  const Matrix host(values.data(), y.rows, y.cols);
  backend_->download(y, host);
  std::transform(values.begin(), values.end(), values.begin(), [](float value) { return std::tanh(value); });
  backend_->upload(host, y);
}

}  // namespace sgpt
