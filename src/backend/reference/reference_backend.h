// The oracle: every operation as plain loops with double sums, simple enough to be checked by reading.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace sgpt {

std::unique_ptr<Backend> make_reference_backend();

namespace reference {

/// linear.cpp, embedding.cpp, layer_norm.cpp, attention.cpp, pooling.cpp, loss.cpp and optimizer.cpp hold the
/// operations; what they compute is said in backend.h. Stateless, so thread-safe.
class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  Memory& memory() override { return host_memory(); }

  void upload(ConstMatrix host, Matrix device) override;
  void download(ConstMatrix device, Matrix host) override;
  void zero(Matrix x) override;
  PackedTexts place(const TokenBatch& batch, Arena& arena) override;

  bool computes(ComputeType type) const override { return type == ComputeType::f32; }
  std::string kernel_name(ComputeType) const override { return "plain loops"; }
  std::unique_ptr<PackedWeight> pack(ConstMatrix host_weight, WeightUse use, ComputeType type, ConstMatrix scales,
                                     WeightSource source) override;
  std::unique_ptr<PackedWeight> pack_trained(ConstMatrix values, WeightUse use, ComputeType type) override;
  PackedMemory plan_pack(const WeightToPack& weight) const override;
  void repack(PackedWeight& weight) override;

  void embed(const PackedTexts& texts, ConstMatrix table, Matrix x, float factor) override;
  void embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable, float factor) override;
  void add_positions(const PackedTexts& texts, ConstMatrix table, Matrix x) override;
  void add_positions_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) override;

  void layer_norm(ConstMatrix x, ConstMatrix weight, const Bias& bias, float eps, Matrix y, Matrix stats) override;
  void layer_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy, Matrix dx,
                           Matrix dweight, Matrix dbias) override;
  void rms_norm(ConstMatrix x, ConstMatrix weight, const RmsNorm& norm, Matrix y, Matrix stats) override;
  void rms_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, const RmsNorm& norm, ConstMatrix dy,
                         Matrix dx, Matrix dweight) override;

  void linear(ConstMatrix x, const PackedWeight& weight, const Bias& bias, Matrix y, Epilogue epilogue,
              Matrix before) override;
  void linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx, bool add) override;
  void linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight, ComputeType) override;
  void linear_backward_bias(ConstMatrix dy, Matrix dbias) override;
  void gelu(ConstMatrix z, Matrix y) override;
  void gelu_backward(ConstMatrix z, Matrix dy) override;
  void gate(Activation activation, ConstMatrix a, ConstMatrix u, Matrix y) override;
  void gate_backward(Activation activation, ConstMatrix a, ConstMatrix u, Matrix dy, Matrix da) override;

  void rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, Pairing pairing,
              bool back) override;
  void attention(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, Matrix y,
                 Matrix log_sums) override;
  void attention_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                          ConstMatrix log_sums, ConstMatrix dy, const Qkv& dqkv) override;

  void pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) override;
  void pool_backward(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, ConstMatrix de,
                     Matrix dh) override;

  void normalize_rows(ConstMatrix x, Matrix y, Matrix norms) override;
  void normalize_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, Matrix dx) override;
  void matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) override;
  double cross_entropy(Matrix scores, std::span<const std::int32_t> labels) override;

  double sum_of_squares(ConstMatrix x) override;
  void adamw(const AdamW& options, ConstMatrix gradient, Matrix parameter, Matrix m, Matrix v) override;
};

}  // namespace reference
}  // namespace sgpt
