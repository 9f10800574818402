// Loading BLOOM: every parameter checked and put where its use wants it. Vectors become f32 in one buffer; frozen
// matrices are packed from their own type, or stay where they lie; trained parameters lie end to end, those that decay
// first, so that the optimiser sees two long rows.
#include "model/bloom.h"

#include <cstring>

#include <fmt/format.h>

#include "base/mapped_file.h"
#include "model/finite.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

// Places in the table of parameters (bloom_parameters).
constexpr std::size_t kEmbeddingParameters = 3;  // the embedding and its LayerNorm
constexpr std::size_t kLayerParameters = 12;

template <float (*kFloatFrom)(std::uint16_t)>
void convert_halves(ConstMatrix from, float* to) {
  const auto* halves = static_cast<const std::uint16_t*>(from.data);
  const std::int64_t count = from.size();
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) to[i] = kFloatFrom(halves[i]);
}

void convert(ConstMatrix from, float* to) {
  switch (from.type) {
    case DType::f16: return convert_halves<float_from_f16>(from, to);
    case DType::bf16: return convert_halves<float_from_bf16>(from, to);
    default: std::memcpy(to, from.data, from.bytes());
  }
}

bool in_host_memory(Backend& backend) { return &backend.memory() == &host_memory(); }

/// device = the host's values, as f32.
void load_f32(Backend& backend, ConstMatrix host, Matrix device) {
  if (in_host_memory(backend)) return convert(host, device.f32());
  std::vector<float> values(static_cast<std::size_t>(host.size()));
  convert(host, values.data());
  backend.upload(ConstMatrix(values.data(), host.rows, host.cols), device);
}

/// A matrix may be of integers where nothing is trained.
const CheckpointTensor& require(const Checkpoint& checkpoint, const ParameterInfo& info, bool training) {
  if (info.kind != ParameterKind::matrix || training) return checkpoint.require(info.name, info.shape());
  return checkpoint.require_matrix(info.name, info.shape());
}

void require_finite(const CheckpointTensor& tensor) {
  if (all_finite(tensor.matrix())) return;
  throw UserError(fmt::format("{}: tensor '{}' holds a NaN or an infinity: the file is broken or its training diverged",
                              tensor.file.string(), tensor.name));
}

/// Takes pieces of one buffer, one after the other.
class Pieces {
 public:
  explicit Pieces(const Buffer& buffer) : next_(static_cast<float*>(buffer.data())) {}
  Matrix take(const ParameterInfo& info) {
    const Matrix piece(next_, info.rows, info.cols);
    next_ += piece.size();
    return piece;
  }

 private:
  float* next_;
};

}  // namespace

Bloom::Bloom(Backend& backend, const Checkpoint& checkpoint, const BloomConfig& config, const TrainedParameters& which,
             ComputeType compute)
    : backend_(backend), config_(config), compute_(compute) {
  for (ParameterInfo& info : bloom_parameters(config)) parameters_.push_back({std::move(info), {}, {}, nullptr});
  lay_out_trained(which);
  load(checkpoint);
  buffers_.emplace_back(backend_.memory(), static_cast<std::size_t>(config_.heads) * sizeof(float));
  slopes_ = Matrix(buffers_.back().data(), 1, config_.heads);
  const std::vector<float> slopes = alibi_slopes(config_.heads);
  backend_.upload(ConstMatrix(slopes.data(), 1, config_.heads), slopes_);
}

void Bloom::lay_out_trained(const TrainedParameters& which) {
  first_trained_ = parameters_.size();
  std::vector<Parameter*> decayed;
  std::vector<Parameter*> others;
  std::int64_t total = 0;
  for (Parameter& parameter : parameters_) {
    if (!which.trained(parameter.info.name)) continue;
    first_trained_ = std::min(first_trained_, static_cast<std::size_t>(&parameter - parameters_.data()));
    const std::int64_t size = parameter.info.rows * parameter.info.cols;
    total += size;
    const bool decays = which.decayed(parameter.info.name);
    (decays ? decayed : others).push_back(&parameter);
    if (decays) decayed_size_ += size;
  }
  if (total == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(total) * sizeof(float);
  buffers_.emplace_back(backend_.memory(), bytes);
  trained_values_ = Matrix(buffers_.back().data(), 1, total);
  Pieces values(buffers_.back());
  buffers_.emplace_back(backend_.memory(), bytes);
  trained_gradients_ = Matrix(buffers_.back().data(), 1, total);
  Pieces gradients(buffers_.back());
  for (const auto& group : {decayed, others}) {
    for (Parameter* parameter : group) {
      parameter->value = values.take(parameter->info);
      parameter->gradient = gradients.take(parameter->info);
    }
  }
  zero_gradients();
}

void Bloom::load(const Checkpoint& checkpoint) {
  std::size_t frozen_vectors = 0;
  for (const Parameter& parameter : parameters_) {
    if (parameter.info.kind == ParameterKind::vector && !parameter.trained()) {
      frozen_vectors += static_cast<std::size_t>(parameter.info.cols);
    }
  }
  buffers_.emplace_back(backend_.memory(), frozen_vectors * sizeof(float));
  Pieces vectors(buffers_.back());

  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = parameters_[i];
    const CheckpointTensor& tensor = require(checkpoint, parameter.info, first_trained_ < parameters_.size());
    const ConstMatrix host = tensor.matrix();
    ConstMatrix scales;
    if (host.type == DType::i8) {
      scales = checkpoint.scales_of(tensor).matrix();
      require_finite(checkpoint.scales_of(tensor));
    } else {
      require_finite(tensor);
    }
    const WeightUse use = trained_before(parameter) ? WeightUse::forward_and_backward : WeightUse::forward;
    bool read_again = false;
    if (parameter.trained()) {
      load_f32(backend_, host, parameter.value);
      if (parameter.info.kind == ParameterKind::matrix) {
        parameter.packed = backend_.pack_trained(parameter.value, use, compute_);
      }
    } else if (parameter.info.kind == ParameterKind::matrix) {
      parameter.packed = backend_.pack(host, use, compute_, scales, WeightSource::lasting);
      read_again = parameter.packed->reads_source();
    } else if (parameter.info.kind == ParameterKind::vector) {
      parameter.value = vectors.take(parameter.info);
      load_f32(backend_, host, parameter.value);
    } else if (parameter.info.kind == ParameterKind::embedding) {
      if (in_host_memory(backend_)) {
        // Nothing writes to a frozen value: the view is writable in type alone.
        parameter.value = Matrix(const_cast<void*>(host.data), host.rows, host.cols, host.type);
      } else {
        buffers_.emplace_back(backend_.memory(), host.bytes());
        parameter.value = Matrix(buffers_.back().data(), host.rows, host.cols, host.type);
        backend_.upload(host, parameter.value);
      }
    }
    // What is computed with lies elsewhere otherwise, but for the embedding's few rows.
    if (tensor.mapped && !read_again) drop_pages(tensor.bytes);
  }
}

const Parameter& Bloom::parameter(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.info.name == name) return parameter;
  }
  throw UserError(fmt::format("BLOOM has no parameter '{}'", name));
}

Bloom::Layer Bloom::layer(std::size_t index) const {
  const std::size_t first = kEmbeddingParameters + index * kLayerParameters;
  return {pair(first), pair(first + 2), pair(first + 4), pair(first + 6), pair(first + 8), pair(first + 10)};
}

void Bloom::zero_gradients() {
  if (trained_gradients_) backend_.zero(trained_gradients_);
}

void Bloom::values_changed() {
  for (const Parameter& parameter : parameters_) {
    if (parameter.packed && parameter.trained()) backend_.repack(*parameter.packed);
  }
}

std::size_t Bloom::bytes() const {
  std::size_t total = 0;
  for (const Buffer& buffer : buffers_) total += buffer.bytes();
  for (const Parameter& parameter : parameters_) total += parameter.packed ? parameter.packed->bytes() : 0;
  return total - trained_gradients_.bytes();
}

}  // namespace sgpt
