// Hidden states to one vector a text. But for the maximum, every mode is a weighted sum over the text's tokens.
#include <cmath>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {
namespace {

/// The weight of token i (from 0) of n, of which the first ones are skipped: but for the first and the last token's own
/// modes they weigh nothing. Positions count from the text's first token all the same.
double token_weight(PoolingMode mode, std::int64_t i, std::int64_t n, std::int64_t skipped) {
  const bool of_one_token = mode == PoolingMode::cls || mode == PoolingMode::lasttoken;
  if (i < skipped && !of_one_token) return 0;
  const auto length = static_cast<double>(n), before = static_cast<double>(skipped);
  switch (mode) {
    case PoolingMode::cls: return i == 0 ? 1 : 0;
    case PoolingMode::mean: return 1 / (length - before);
    case PoolingMode::mean_sqrt_len: return 1 / std::sqrt(length - before);
    case PoolingMode::weightedmean:
      return static_cast<double>(i + 1) / (length * (length + 1) / 2 - before * (before + 1) / 2);
    case PoolingMode::lasttoken: return i == n - 1 ? 1 : 0;
    case PoolingMode::max: break;
  }
  return 0;
}

/// The first token of text b, after the skipped ones, that has the largest value in column c.
std::int64_t first_largest(const PackedTexts& texts, ConstMatrix h, std::int64_t b, std::int64_t c) {
  std::int64_t best = texts.offsets[b] + texts.skipped_of(b);
  for (std::int64_t t = best + 1; t < texts.offsets[b + 1]; ++t) {
    if (h.f32_row(t)[c] > h.f32_row(best)[c]) best = t;
  }
  return best;
}

}  // namespace

void ReferenceBackend::pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) {
  checks::pools(texts, h, modes, e);
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    const std::int64_t first = texts.offsets[b], n = texts.offsets[b + 1] - first, skipped = texts.skipped_of(b);
    float* out = e.f32_row(b);
    for (const PoolingMode mode : modes) {
      for (std::int64_t c = 0; c < h.cols; ++c) {
        double value = 0;
        if (mode == PoolingMode::max && n > skipped) {
          value = h.f32_row(first_largest(texts, h, b, c))[c];
        } else {
          for (std::int64_t i = 0; i < n; ++i) value += token_weight(mode, i, n, skipped) * h.f32_row(first + i)[c];
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
    const std::int64_t first = texts.offsets[b], n = texts.offsets[b + 1] - first, skipped = texts.skipped_of(b);
    if (n == 0) continue;
    const float* from = de.f32_row(b);
    for (const PoolingMode mode : modes) {
      for (std::int64_t c = 0; c < h.cols; ++c, ++from) {
        if (mode == PoolingMode::max) {
          if (n > skipped) dh.f32_row(first_largest(texts, h, b, c))[c] += *from;
          continue;
        }
        for (std::int64_t i = 0; i < n; ++i) {
          dh.f32_row(first + i)[c] += static_cast<float>(token_weight(mode, i, n, skipped) * *from);
        }
      }
    }
  }
}

}  // namespace sgpt::reference
