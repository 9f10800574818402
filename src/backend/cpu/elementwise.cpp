// What happens to the tiles of a product, GELU, gates and their gradients, column sums.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>

#include "backend/cpu/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

constexpr float kTwoRootTwoOverPi = 1.5957691216057308f;
constexpr float kCubic = 0.044715f;

/// σ(2u) with u = sqrt(2/π)·z·(1 + 0.044715·z²); the tanh form's 0.5·(1 + tanh u) is the same thing.
struct Gate {
  Floats open;    // σ(2u)
  Floats closed;  // 1 − σ(2u), without the cancellation
};

HWY_INLINE Gate gate_of(Floats z) {
  // exp(−2u), as a power of two.
  constexpr float kLinear = -kTwoRootTwoOverPi * kLog2OfE;
  const Floats e = exp2_of(hn::Mul(z, hn::MulAdd(hn::Mul(z, z), broadcast(kLinear * kCubic), broadcast(kLinear))));
  const Floats open = hn::Div(broadcast(1.0f), hn::Add(broadcast(1.0f), e));
  return {open, hn::Mul(e, open)};
}

HWY_INLINE Floats gelu_of(Floats z) { return hn::Mul(z, gate_of(z).open); }

/// d/dz of z·σ(2u) = σ + z·σ·(1 − σ)·2u'.
HWY_INLINE Floats gelu_slope(Floats z) {
  const Gate gate = gate_of(z);
  const Floats inner =
      hn::Mul(broadcast(kTwoRootTwoOverPi), hn::MulAdd(hn::Mul(z, z), broadcast(3 * kCubic), broadcast(1.0f)));
  return hn::MulAdd(z, hn::Mul(hn::Mul(gate.open, gate.closed), inner), gate.open);
}

/// σ(z) and 1 − σ(z).
HWY_INLINE Gate sigmoid_of(Floats z) {
  const Floats e = exp_of(hn::Neg(z)), open = hn::Div(broadcast(1.0f), hn::Add(broadcast(1.0f), e));
  return {open, hn::Mul(e, open)};
}

HWY_INLINE Floats silu_of(Floats z) { return hn::Mul(z, sigmoid_of(z).open); }

/// d/dz of z·σ(z) = σ + z·σ·(1 − σ).
HWY_INLINE Floats silu_slope(Floats z) {
  const Gate gate = sigmoid_of(z);
  return hn::MulAdd(z, hn::Mul(gate.open, gate.closed), gate.open);
}

void gate_n(Activation activation, const float* a, const float* u, float* y, std::int64_t n) {
  const bool silu = activation == Activation::silu;
  for (std::int64_t i = 0; i < n; i += lanes()) {
    const Floats z = load(a + i, n - i);
    store(hn::Mul(silu ? silu_of(z) : gelu_of(z), load(u + i, n - i)), y + i, n - i);
  }
}

void gate_backward_n(Activation activation, const float* a, const float* u, float* dy, float* da, std::int64_t n) {
  const bool silu = activation == Activation::silu;
  for (std::int64_t i = 0; i < n; i += lanes()) {
    const Floats z = load(a + i, n - i), d = load(dy + i, n - i);
    const Floats slope = silu ? silu_slope(z) : gelu_slope(z);
    store(hn::Mul(hn::Mul(d, load(u + i, n - i)), slope), da + i, n - i);
    store(hn::Mul(d, silu ? silu_of(z) : gelu_of(z)), dy + i, n - i);
  }
}

void gelu_n(const float* z, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += lanes()) store(gelu_of(load(z + i, n - i)), y + i, n - i);
}

void gelu_backward_n(const float* z, float* dy, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += lanes()) {
    store(hn::Mul(load(dy + i, n - i), gelu_slope(load(z + i, n - i))), dy + i, n - i);
  }
}

/// Asks for a row of the tile's place in y. Such pieces of rows lie too far apart for the processor to foresee them.
HWY_INLINE void fetch_row(const Matrix& y, const Tile& tile, std::int64_t row) {
  constexpr std::size_t kLineBytes = 64;
  const std::size_t size = size_of(y.type), bytes = static_cast<std::size_t>(tile.cols) * size;
  const auto first = static_cast<std::size_t>((tile.row + row) * y.cols + tile.col);
  const auto* piece = static_cast<const std::byte*>(y.data) + first * size;
  for (std::size_t i = 0; i < bytes; i += kLineBytes) __builtin_prefetch(piece + i, 1);
}

/// y = z, or what the epilogue makes of it.
HWY_INLINE void finish_vector(Epilogue kind, Floats z, float* y, std::int64_t left) {
  switch (kind) {
    case Epilogue::none: return store(z, y, left);
    case Epilogue::gelu: return store(gelu_of(z), y, left);
    case Epilogue::silu: return store(silu_of(z), y, left);
    case Epilogue::multiply: return store(hn::Mul(load(y, left), z), y, left);
    case Epilogue::add: return store(hn::Add(load(y, left), z), y, left);
  }
}
/// Rounded; of epilogues that do not read y.
HWY_INLINE void finish_vector(Epilogue kind, Floats z, std::uint16_t* y, std::int64_t left) {
  store_rounded(kind == Epilogue::gelu ? gelu_of(z) : kind == Epilogue::silu ? silu_of(z) : z, y, left);
}

template <class Number>
HWY_INLINE void finish_linear_rows(const LinearEpilogue& epilogue, const Tile& tile) {
  constexpr std::int64_t kRowsAhead = 8;
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    if (r + kRowsAhead < tile.rows) fetch_row(epilogue.y, tile, r + kRowsAhead);
    const float* from = tile.row_data(r);
    const float* bias = epilogue.bias ? epilogue.bias.of(tile.row + r) + tile.col : nullptr;
    auto* y = static_cast<Number*>(epilogue.y.data) + (tile.row + r) * epilogue.y.cols + tile.col;
    float* kept = epilogue.before ? epilogue.before.f32_row(tile.row + r) + tile.col : nullptr;
    for (std::int64_t i = 0; i < tile.cols; i += lanes()) {
      const std::int64_t left = tile.cols - i;
      Floats z = load(from + i, left);
      if (bias) z = hn::Add(z, load(bias + i, left));
      if (kept) store(z, kept + i, left);
      finish_vector(epilogue.kind, z, y + i, left);
    }
  }
}

void finish_linear_tile(const LinearEpilogue& epilogue, const Tile& tile) {
  if (epilogue.y.type == DType::bf16) {
    finish_linear_rows<std::uint16_t>(epilogue, tile);
  } else {
    finish_linear_rows<float>(epilogue, tile);
  }
}

void finish_product_tile(const Tile& tile, float alpha, bool accumulate, Matrix y) {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    const float* from = tile.row_data(r);
    float* to = y.f32_row(tile.row + r) + tile.col;
    for (std::int64_t i = 0; i < tile.cols; i += lanes()) {
      const std::int64_t left = tile.cols - i;
      const Floats scaled = hn::Mul(load(from + i, left), broadcast(alpha));
      store(accumulate ? hn::Add(load(to + i, left), scaled) : scaled, to + i, left);
    }
  }
}

void add_column_sums_n(const float* x, std::int64_t rows, std::int64_t cols, std::int64_t stride, float* sums) {
  // Four rows at a time: memory is read in its order, and the sums are loaded and stored a quarter as often.
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * stride) {
    for (std::int64_t i = 0; i < cols; i += lanes()) {
      const std::int64_t left = cols - i;
      const Floats first = hn::Add(load(x + i, left), load(x + stride + i, left));
      const Floats second = hn::Add(load(x + 2 * stride + i, left), load(x + 3 * stride + i, left));
      store(hn::Add(load(sums + i, left), hn::Add(first, second)), sums + i, left);
    }
  }
  for (; r < rows; ++r, x += stride) {
    for (std::int64_t i = 0; i < cols; i += lanes()) {
      store(hn::Add(load(sums + i, cols - i), load(x + i, cols - i)), sums + i, cols - i);
    }
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(gelu_n);
HWY_EXPORT(gelu_backward_n);
HWY_EXPORT(gate_n);
HWY_EXPORT(gate_backward_n);
HWY_EXPORT(finish_linear_tile);
HWY_EXPORT(finish_product_tile);
HWY_EXPORT(add_column_sums_n);

void gelu(const float* z, float* y, std::int64_t n) { HWY_DYNAMIC_DISPATCH(gelu_n)(z, y, n); }
void gelu_backward(const float* z, float* dy, std::int64_t n) { HWY_DYNAMIC_DISPATCH(gelu_backward_n)(z, dy, n); }
void gate(Activation activation, const float* a, const float* u, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(gate_n)(activation, a, u, y, n);
}
void gate_backward(Activation activation, const float* a, const float* u, float* dy, float* da, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(gate_backward_n)(activation, a, u, dy, da, n);
}
void finish_linear(const LinearEpilogue& epilogue, const Tile& tile) {
  HWY_DYNAMIC_DISPATCH(finish_linear_tile)(epilogue, tile);
}
void finish_product(const Tile& tile, float alpha, bool accumulate, Matrix y) {
  HWY_DYNAMIC_DISPATCH(finish_product_tile)(tile, alpha, accumulate, y);
}
void add_column_sums(const float* x, std::int64_t rows, std::int64_t cols, std::int64_t stride, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_column_sums_n)(x, rows, cols, stride, sums);
}

}  // namespace sgpt::cpu
#endif
