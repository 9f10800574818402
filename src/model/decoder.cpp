// Loading a decoder: every parameter checked and put where its use wants it. Vectors become f32 in one buffer; frozen
// matrices are packed from their own type, or stay where they lie; trained parameters lie end to end, those that decay
// first, so that the optimiser sees two long rows.
#include "model/decoder.h"

#include <cstring>

#include <fmt/format.h>

#include "base/mapped_file.h"
#include "model/finite.h"
#include "model/transpose.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

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

void require_finite(const CheckpointTensor& tensor) {
  if (all_finite(tensor.matrix())) return;
  throw UserError(fmt::format("{}: tensor '{}' holds a NaN or an infinity: the file is broken or its training diverged",
                              tensor.file.string(), tensor.name));
}

/// A matrix of the checkpoint that its own library multiplies each hidden state with: without it embeddings differ.
void refuse_projection(const Checkpoint& checkpoint, const Architecture& config) {
  const CheckpointTensor* tensor = checkpoint.find("linear.weight");
  if (!tensor || tensor->shape.size() != 2 || tensor->shape.back() != config.hidden) return;
  throw UserError(
      fmt::format("{}: tensor \"linear.weight\": this model projects each hidden state once more, which "
                  "sgpt does not do",
                  tensor->file.string()));
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

Decoder::Decoder(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
                 const TrainedParameters& which, ComputeType compute)
    : backend_(backend), config_(config), compute_(compute), plan_(layer_plan(config, backend.activation_type())) {
  for (ParameterInfo& info : decoder_parameters(config, which.lora)) {
    parameters_.push_back({std::move(info), {}, {}, nullptr});
  }
  lay_out_roles();
  lay_out_trained(which);
  load(checkpoint, which.lora);
  if (config_.positions == Positions::alibi) slopes_ = constants(alibi_slopes(config_.heads), 1);
  if (config_.positions == Positions::rotary) {
    const auto turns = [&](const Rotary& rotary) {
      return std::make_unique<Turns>(backend_, rotary, config_.pairing, config_.rotary_dims);
    };
    turns_ = turns(config_.rotary);
    if (config_.window_rotary) window_turns_ = turns(*config_.window_rotary);
  }
}

Matrix Decoder::constants(const std::vector<float>& values, std::int64_t rows) {
  buffers_.emplace_back(backend_.memory(), values.size() * sizeof(float));
  const Matrix matrix(buffers_.back().data(), rows, static_cast<std::int64_t>(values.size()) / rows);
  backend_.upload(ConstMatrix(values.data(), rows, matrix.cols), matrix);
  return matrix;
}

Decoder::Pair& Decoder::pair_of(const ParameterInfo& info) {
  Layer* layer = layers_.empty() ? nullptr : &layers_.back();
  switch (info.role) {
    case Role::token_embedding: return token_embedding_;
    case Role::position_embedding: return position_embedding_;
    case Role::embedding_norm: return embedding_norm_;
    case Role::norm1: return layer->norm1;
    case Role::query_key_value:
    case Role::query: return layer->projections[0];
    case Role::key: return layer->projections[1];
    case Role::value: return layer->projections[2];
    case Role::query_norm: return layer->query_norm;
    case Role::key_norm: return layer->key_norm;
    case Role::attention_out: return layer->out;
    case Role::attention_norm: return layer->attention_norm;
    case Role::norm2: return layer->norm2;
    case Role::gate: return layer->gate;
    case Role::widen: return layer->widen;
    case Role::narrow: return layer->narrow;
    case Role::feed_forward_norm: return layer->feed_forward_norm;
    case Role::last_norm: break;
  }
  return last_norm_;
}

const Parameter*& Decoder::slot_of(const ParameterInfo& info) {
  Pair& pair = pair_of(info);
  switch (info.lora) {
    case LoraPart::a: return pair.lora_a;
    case LoraPart::b: return pair.lora_b;
    case LoraPart::none: break;
  }
  return info.bias ? pair.bias : pair.weight;
}

void Decoder::lay_out_roles() {
  for (const Parameter& parameter : parameters_) {
    // Every layer begins with its norm1.
    if (parameter.info.role == Role::norm1 && !parameter.info.bias) {
      layers_.emplace_back();
      layers_.back().window = config_.window(static_cast<std::int64_t>(layers_.size()) - 1);
    }
    slot_of(parameter.info) = &parameter;
    if (of_a_layer(parameter.info.role)) layers_.back().last = &parameter;
  }
}

void Decoder::lay_out_trained(const TrainedParameters& which) {
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

/// Always of f32, whatever the products with W are computed in: both are small, and so is what changes in a step.
void Decoder::load_lora(Parameter& parameter, const Lora& lora) {
  std::vector<float> values(static_cast<std::size_t>(parameter.info.rows * parameter.info.cols));
  lora.start(parameter.info, values);
  const ConstMatrix host(values.data(), parameter.info.rows, parameter.info.cols);
  if (!all_finite(host)) {
    throw UserError(
        fmt::format("tensor '{}' holds a NaN or an infinity: the adapter's file is broken or its training "
                    "diverged",
                    parameter.info.name));
  }
  if (!parameter.trained()) {
    buffers_.emplace_back(backend_.memory(), host.bytes());
    parameter.value = Matrix(buffers_.back().data(), host.rows, host.cols);
  }
  backend_.upload(host, parameter.value);
  parameter.packed = backend_.pack_trained(parameter.value, WeightUse::forward_and_backward);
}

void Decoder::load(const Checkpoint& checkpoint, const Lora& lora) {
  refuse_projection(checkpoint, config_);
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
    if (parameter.info.lora != LoraPart::none) {
      load_lora(parameter, lora);
      continue;
    }
    const CheckpointTensor& tensor = require_parameter(checkpoint, parameter.info, first_trained_ < parameters_.size());
    ConstMatrix host = tensor.matrix();
    ConstMatrix scales;
    if (host.type == DType::i8) {
      scales = checkpoint.scales_of(tensor).matrix();
      require_finite(checkpoint.scales_of(tensor));
    } else {
      require_finite(tensor);
    }
    Buffer turned_over;
    if (parameter.info.transposed && host.type != DType::i8) {
      turned_over = Buffer(host_memory(), host.bytes());
      transpose(host, {static_cast<std::byte*>(turned_over.data()), host.bytes()});
      host = ConstMatrix(turned_over.data(), host.cols, host.rows, host.type);
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
      read_again = parameter.packed->reads_source() && !turned_over.data();
      if (turned_over.data() && parameter.packed->reads_source()) buffers_.push_back(std::move(turned_over));
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

void Decoder::download(const Parameter& parameter, ConstMatrix device, std::span<float> values) const {
  if (!parameter.info.transposed) return backend_.download(device, {values.data(), device.rows, device.cols});
  std::vector<float> rows(values.size());
  const Matrix host(rows.data(), device.rows, device.cols);
  backend_.download(device, host);
  transpose(host, std::as_writable_bytes(values));
}

void Decoder::upload(const Parameter& parameter, std::span<const float> values, Matrix device) const {
  if (!parameter.info.transposed) return backend_.upload({values.data(), device.rows, device.cols}, device);
  std::vector<float> rows(values.size());
  transpose({values.data(), device.cols, device.rows}, std::as_writable_bytes(std::span(rows)));
  backend_.upload({rows.data(), device.rows, device.cols}, device);
}

const Parameter& Decoder::parameter(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.info.name == name) return parameter;
  }
  throw UserError(fmt::format("{} has no parameter '{}'", config_.family->name, name));
}

void Decoder::zero_gradients() {
  if (trained_gradients_) backend_.zero(trained_gradients_);
}

void Decoder::values_changed() {
  for (const Parameter& parameter : parameters_) {
    if (parameter.packed && parameter.trained()) backend_.repack(*parameter.packed);
  }
}

std::size_t Decoder::bytes() const {
  std::size_t total = 0;
  for (const Buffer& buffer : buffers_) total += buffer.bytes();
  for (const Parameter& parameter : parameters_) total += parameter.packed ? parameter.packed->bytes() : 0;
  for (const auto& turns : {turns_.get(), window_turns_.get()}) total += turns ? turns->bytes() : 0;
  return total - trained_gradients_.bytes();
}

}  // namespace sgpt
