// Hidden states to one vector a text. But for the maximum, every mode is a weighted sum over the text's tokens.
#include <cmath>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {
namespace {

/// The weight of token i (from 0) of n.
double token_weight(PoolingMode mode, std::int64_t i, std::int64_t n) {
  const auto length = static_cast<double>(n);
  switch (mode) {
    case PoolingMode::cls: return i == 0 ? 1 : 0;
    case PoolingMode::mean: return 1 / length;
    case PoolingMode::mean_sqrt_len: return 1 / std::sqrt(length);
    case PoolingMode::weightedmean: return static_cast<double>(i + 1) / (length * (length + 1) / 2);
    case PoolingMode::lasttoken: return i == n - 1 ? 1 : 0;
    case PoolingMode::max: break;
  }
  return 0;
}

/// The first token of text b that has the largest value in column c.
std::int64_t first_largest(const PackedTexts& texts, ConstMatrix h, std::int64_t b, std::int64_t c) {
  std::int64_t best = texts.offsets[b];
  for (std::int64_t t = best + 1; t < texts.offsets[b + 1]; ++t) {
    if (h.f32_row(t)[c] > h.f32_row(best)[c]) best = t;
  }
  return best;
}

}  // namespace

void ReferenceBackend::pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) {
  checks::pools(texts, h, modes, e);
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    const std::int64_t first = texts.offsets[b], n = texts.offsets[b + 1] - first;
    float* out = e.f32_row(b);
    for (const PoolingMode mode : modes) {
      for (std::int64_t c = 0; c < h.cols; ++c) {
        double value = 0;
        if (mode == PoolingMode::max && n > 0) {
          value = h.f32_row(first_largest(texts, h, b, c))[c];
        } else {
          for (std::int64_t i = 0; i < n; ++i) value += token_weight(mode, i, n) * h.f32_row(first + i)[c];
        }
        *out++ = static_cast<float>(value);
      }
    }
  }
}

void ReferenceBackend::pool_backward(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes,
                                     ConstMatrix de, Matrix dh) {
  zero(dh);
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    const std::int64_t first = texts.offsets[b], n = texts.offsets[b + 1] - first;
    if (n == 0) continue;
    const float* from = de.f32_row(b);
    for (const PoolingMode mode : modes) {
      for (std::int64_t c = 0; c < h.cols; ++c, ++from) {
        if (mode == PoolingMode::max) {
          dh.f32_row(first_largest(texts, h, b, c))[c] += *from;
          continue;
        }
        for (std::int64_t i = 0; i < n; ++i) {
          dh.f32_row(first + i)[c] += static_cast<float>(token_weight(mode, i, n) * *from);
        }
      }
    }
  }
}

}  // namespace sgpt::reference
