// The cpu backend's class; its operations lie in backend_linear.cpp, backend_rows.cpp, backend_attention.cpp,
// backend_pooling.cpp and backend_loss.cpp, where the work is cut into pieces for the threads. What a piece computes is
// in vector_ops.h and product.h.
#pragma once

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/product.h"
#include "backend/cpu/workspace.h"

namespace sgpt::cpu {

/// Any number of threads may run operations at once.
class CpuBackend final : public Backend {
 public:
  CpuBackend(Products::Kernel kernel, std::int64_t least_streamed)
      : products_(kernel, workspaces_), least_streamed_(least_streamed) {}

  std::string_view name() const override { return "cpu"; }
  Memory& memory() override { return host_memory(); }

  void upload(ConstMatrix host, Matrix device) override;
  void download(ConstMatrix device, Matrix host) override;
  void zero(Matrix x) override;
  PackedTexts place(const TokenBatch& batch, Arena& arena) override;

  bool computes(ComputeType type) const override { return products_.computes(type); }
  DType input_type(ComputeType type) const override { return type == ComputeType::bf16 ? DType::bf16 : DType::f32; }
  bool gains_from_bf16(WeightUse use) override;
  std::string kernel_name(ComputeType type) const override;
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
  void linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight, ComputeType type) override;
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

 private:
  /// Whether a lasting matrix of so many elements is read where it lies.
  bool streams(std::int64_t size, WeightUse use, ComputeType type) const;
  /// `lasting`: the matrix may be read where it lies.
  std::unique_ptr<PackedWeight> packed(const StridedMatrix& weight, WeightUse use, ComputeType type, bool lasting);

  WorkspacePool workspaces_;
  Products products_;
  std::int64_t least_streamed_;  // elements
};

}  // namespace sgpt::cpu
