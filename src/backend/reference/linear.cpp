// Linear layers, GELU and gates. A packed weight is simply the matrix as f32.
#include <cmath>
#include <vector>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"
#include "tensor/quantize.h"

namespace sgpt::reference {
namespace {

class PlainWeight final : public PackedWeight {
 public:
  PlainWeight(ConstMatrix w, ConstMatrix scales)
      : PackedWeight(w.rows, w.cols),
        source_(w),
        values_(host_memory(), static_cast<std::size_t>(w.size()) * sizeof(float)) {
    if (w.type == DType::i8) {
      dequantize_rows(w, scales, values());
    } else {
      fill();
    }
  }
  void fill() {
    for (std::int64_t o = 0; o < out(); ++o) {
      for (std::int64_t i = 0; i < in(); ++i) values().f32_row(o)[i] = float_at(source_, o, i);
    }
  }
  Matrix values() { return {values_.data(), out(), in()}; }
  ConstMatrix values() const { return {values_.data(), out(), in()}; }
  std::size_t bytes() const override { return values_.bytes(); }

 private:
  ConstMatrix source_;  // looked at by fill alone
  Buffer values_;       // [out,in]
};

const PlainWeight& plain(const PackedWeight& weight) { return dynamic_cast<const PlainWeight&>(weight); }

constexpr double kRootTwoOverPi = 0.79788456080286535588;
constexpr double kCubic = 0.044715;

double gelu_of(double z) { return 0.5 * z * (1 + std::tanh(kRootTwoOverPi * z * (1 + kCubic * z * z))); }

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }
double silu_of(double z) { return z * sigmoid(z); }
double silu_slope(double z) { return sigmoid(z) * (1 + z * (1 - sigmoid(z))); }

double gelu_slope(double z) {
  const double tanh = std::tanh(kRootTwoOverPi * z * (1 + kCubic * z * z));
  return 0.5 * (1 + tanh) + 0.5 * z * (1 - tanh * tanh) * kRootTwoOverPi * (1 + 3 * kCubic * z * z);
}

}  // namespace

std::unique_ptr<PackedWeight> ReferenceBackend::pack(ConstMatrix host_weight, WeightUse, ComputeType,
                                                     ConstMatrix scales, WeightSource) {
  checks::packs(host_weight, scales, true);
  return std::make_unique<PlainWeight>(host_weight, scales);
}

std::unique_ptr<PackedWeight> ReferenceBackend::pack_trained(ConstMatrix values, WeightUse, ComputeType) {
  return std::make_unique<PlainWeight>(values, ConstMatrix());
}

PackedMemory ReferenceBackend::plan_pack(const WeightToPack& weight) const {
  return {.bytes = static_cast<std::uint64_t>(weight.out * weight.in) * sizeof(float)};
}

void ReferenceBackend::repack(PackedWeight& weight) { dynamic_cast<PlainWeight&>(weight).fill(); }

void ReferenceBackend::linear(ConstMatrix x, const PackedWeight& weight, const Bias& bias, Matrix y, Epilogue epilogue,
                              Matrix before) {
  checks::multiplies(x, weight, y, epilogue, before);
  const ConstMatrix w = plain(weight).values();
  for (std::int64_t t = 0; t < x.rows; ++t) {
    for (std::int64_t o = 0; o < w.rows; ++o) {
      double z = bias ? bias.of(t)[o] : 0;
      for (std::int64_t i = 0; i < w.cols; ++i) z += static_cast<double>(x.f32_row(t)[i]) * w.f32_row(o)[i];
      float& target = y.f32_row(t)[o];
      switch (epilogue) {
        case Epilogue::none: target = static_cast<float>(z); break;
        case Epilogue::gelu: target = static_cast<float>(gelu_of(static_cast<float>(z))); break;
        case Epilogue::silu: target = static_cast<float>(silu_of(static_cast<float>(z))); break;
        case Epilogue::multiply: target = static_cast<float>(target * z); break;
        case Epilogue::add: target = static_cast<float>(target + z); break;
      }
      if (before) before.f32_row(t)[o] = static_cast<float>(z);
    }
  }
}

void ReferenceBackend::linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx, bool add) {
  checks::multiplies_backward(dy, weight, dx);
  std::vector<float> values(static_cast<std::size_t>(dx.size()));
  matmul(dy, false, plain(weight).values(), false, 1, Matrix(values.data(), dx.rows, dx.cols));
  for (std::int64_t i = 0; i < dx.size(); ++i) {
    dx.f32()[i] = (add ? dx.f32()[i] : 0) + values[static_cast<std::size_t>(i)];
  }
}

void ReferenceBackend::linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight, ComputeType) {
  checks::multiplies_gradients(dy, x, dweight);
  for (std::int64_t o = 0; o < dweight.rows; ++o) {
    for (std::int64_t i = 0; i < dweight.cols; ++i) {
      double sum = 0;
      for (std::int64_t t = 0; t < x.rows; ++t) sum += static_cast<double>(dy.f32_row(t)[o]) * x.f32_row(t)[i];
      dweight.f32_row(o)[i] += static_cast<float>(sum);
    }
  }
}

void ReferenceBackend::linear_backward_bias(ConstMatrix dy, Matrix dbias) {
  checks::sums_columns(dy, dbias);
  for (std::int64_t o = 0; o < dy.cols; ++o) {
    double sum = 0;
    for (std::int64_t t = 0; t < dy.rows; ++t) sum += dy.f32_row(t)[o];
    dbias.f32()[o] += static_cast<float>(sum);
  }
}

void ReferenceBackend::gelu(ConstMatrix z, Matrix y) {
  checks::changes_elements(z, y);
  for (std::int64_t i = 0; i < z.size(); ++i) y.f32()[i] = static_cast<float>(gelu_of(z.f32()[i]));
}

void ReferenceBackend::gelu_backward(ConstMatrix z, Matrix dy) {
  checks::changes_elements(z, dy);
  for (std::int64_t i = 0; i < z.size(); ++i) dy.f32()[i] = static_cast<float>(dy.f32()[i] * gelu_slope(z.f32()[i]));
}

void ReferenceBackend::gate(Activation activation, ConstMatrix a, ConstMatrix u, Matrix y) {
  checks::gates(a, u, y, y);
  const auto of = activation == Activation::silu ? silu_of : gelu_of;
  for (std::int64_t i = 0; i < a.size(); ++i) y.f32()[i] = static_cast<float>(of(a.f32()[i]) * u.f32()[i]);
}

void ReferenceBackend::gate_backward(Activation activation, ConstMatrix a, ConstMatrix u, Matrix dy, Matrix da) {
  checks::gates(a, u, dy, da);
  const bool silu = activation == Activation::silu;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double z = a.f32()[i], d = dy.f32()[i];
    da.f32()[i] = static_cast<float>(d * u.f32()[i] * (silu ? silu_slope(z) : gelu_slope(z)));
    dy.f32()[i] = static_cast<float>(d * (silu ? silu_of(z) : gelu_of(z)));
  }
}

}  // namespace sgpt::reference
