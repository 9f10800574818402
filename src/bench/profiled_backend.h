// A backend that hands every operation on to another one and adds up the time: where a job spends it, by kind of work.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string_view>

#include "backend/backend.h"

namespace sgpt::bench {

enum class Work {
  products,  ///< of Linears, with what their epilogues do: bias, GELU, residual
  products_backward,
  products_weight,  ///< the gradients of trained matrices
  attention,
  attention_backward,
  layer_norm,
  layer_norm_backward,
  gelu,  ///< outside epilogues
  bias_gradients,
  embedding,
  pooling,
  loss,
  optimiser,
  moving,  ///< copies
};
inline constexpr std::size_t kWorks = 14;
std::string_view name_of(Work work);

/// Time, and what there was to do in it.
struct WorkDone {
  double seconds = 0;
  double flops = 0;  ///< of matrix products and attention
  double bytes = 0;  ///< read and written by the rest, each matrix counted once
};

/// For one calling thread, and for backends that have computed when they return.
class ProfiledBackend final : public Backend {
 public:
  explicit ProfiledBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  const WorkDone& of(Work work) const { return done_[static_cast<std::size_t>(work)]; }
  void clear() { done_ = {}; }

  std::string_view name() const override { return inner_->name(); }
  Memory& memory() override { return inner_->memory(); }
  DType activation_type() const override { return inner_->activation_type(); }
  DType input_type(ComputeType type) const override { return inner_->input_type(type); }

  void upload(ConstMatrix host, Matrix device) override;
  void download(ConstMatrix device, Matrix host) override;
  void copy(ConstMatrix from, Matrix to) override;
  void zero(Matrix x) override;
  PackedTexts place(const TokenBatch& batch, Arena& arena) override { return inner_->place(batch, arena); }

  bool computes(ComputeType type) const override { return inner_->computes(type); }
  bool gains_from_bf16(WeightUse use) override { return inner_->gains_from_bf16(use); }
  std::string kernel_name(ComputeType type) const override { return inner_->kernel_name(type); }
  std::unique_ptr<PackedWeight> pack(ConstMatrix host_weight, WeightUse use, ComputeType type, ConstMatrix scales,
                                     WeightSource source) override {
    return inner_->pack(host_weight, use, type, scales, source);
  }
  std::unique_ptr<PackedWeight> pack_trained(ConstMatrix values, WeightUse use, ComputeType type) override {
    return inner_->pack_trained(values, use, type);
  }
  PackedMemory plan_pack(const WeightToPack& weight) const override { return inner_->plan_pack(weight); }
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
  /// Adds the time until its end to a kind of work.
  class Stopwatch {
   public:
    explicit Stopwatch(WorkDone& done) : done_(done), start_(Clock::now()) {}
    ~Stopwatch() { done_.seconds += std::chrono::duration<double>(Clock::now() - start_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    WorkDone& done_;
    Clock::time_point start_;
  };

  Stopwatch product(Work work, double flops);
  Stopwatch pass(Work work, std::size_t bytes);

  std::unique_ptr<Backend> inner_;
  std::array<WorkDone, kWorks> done_{};
};

}  // namespace sgpt::bench
