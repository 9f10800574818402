// Pooling: a task a text. Sums run in double over the tokens in their order.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

/// The tokens of one text.
struct Text {
  const float* h;  // [n,d]
  std::int64_t n;
  std::int64_t d;
  std::int64_t skipped;  // the first so many tokens have no part, but in the modes of one token
};

/// Every mode but the maximum is a weighted sum; the weight of token i (from 0).
double token_weight(PoolingMode mode, std::int64_t i, const Text& text) {
  const bool of_one_token = mode == PoolingMode::cls || mode == PoolingMode::lasttoken;
  if (i < text.skipped && !of_one_token) return 0;
  const auto length = static_cast<double>(text.n), before = static_cast<double>(text.skipped);
  switch (mode) {
    case PoolingMode::cls: return i == 0 ? 1 : 0;
    case PoolingMode::mean: return 1 / (length - before);
    case PoolingMode::mean_sqrt_len: return 1 / std::sqrt(length - before);
    case PoolingMode::weightedmean:
      return static_cast<double>(i + 1) / (length * (length + 1) / 2 - before * (before + 1) / 2);
    case PoolingMode::lasttoken: return i == text.n - 1 ? 1 : 0;
    case PoolingMode::max: break;
  }
  return 0;
}

void pool_text(const Text& text, PoolingMode mode, float* e) {
  if (mode == PoolingMode::max) {
    if (text.skipped == text.n) {
      std::fill(e, e + text.d, 0.0f);
      return;
    }
    std::memcpy(e, text.h + text.skipped * text.d, static_cast<std::size_t>(text.d) * sizeof(float));
    for (std::int64_t i = text.skipped + 1; i < text.n; ++i) keep_larger(text.h + i * text.d, text.d, e);
    return;
  }
  std::vector<double> sums(static_cast<std::size_t>(text.d));
  for (std::int64_t i = 0; i < text.n; ++i) {
    const double weight = token_weight(mode, i, text);
    if (weight != 0) add_weighted(text.h + i * text.d, weight, text.d, sums.data());
  }
  for (std::int64_t c = 0; c < text.d; ++c) e[c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
}

/// dh += the gradient of one mode.
void pool_text_backward(const Text& text, PoolingMode mode, const float* de, float* dh) {
  if (mode != PoolingMode::max) {
    for (std::int64_t i = 0; i < text.n; ++i) {
      const double weight = token_weight(mode, i, text);
      if (weight != 0) add_scaled(de, static_cast<float>(weight), text.d, dh + i * text.d);
    }
    return;
  }
  if (text.skipped == text.n) return;
  // The first token that reaches the maximum.
  std::vector<std::int64_t> best(static_cast<std::size_t>(text.d), text.skipped);
  for (std::int64_t i = text.skipped + 1; i < text.n; ++i) {
    for (std::int64_t c = 0; c < text.d; ++c) {
      std::int64_t& b = best[static_cast<std::size_t>(c)];
      if (text.h[i * text.d + c] > text.h[b * text.d + c]) b = i;
    }
  }
  for (std::int64_t c = 0; c < text.d; ++c) dh[best[static_cast<std::size_t>(c)] * text.d + c] += de[c];
}

Text text_of(const PackedTexts& texts, ConstMatrix h, std::int64_t b) {
  return {h.f32_row(texts.offsets[b]), texts.offsets[b + 1] - texts.offsets[b], h.cols, texts.skipped_of(b)};
}

}  // namespace

void CpuBackend::pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) {
  checks::pools(texts, h, modes, e);
  parallel_tasks(texts.texts, [&](std::int64_t b) {
    const Text text = text_of(texts, h, b);
    float* out = e.f32_row(b);
    if (text.n == 0) std::fill(out, out + e.cols, 0.0f);
    for (std::size_t m = 0; text.n > 0 && m < modes.size(); ++m) {
      pool_text(text, modes[m], out + static_cast<std::int64_t>(m) * h.cols);
    }
  });
}

void CpuBackend::pool_backward(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes,
                               ConstMatrix de, Matrix dh) {
  parallel_tasks(texts.texts, [&](std::int64_t b) {
    const Text text = text_of(texts, h, b);
    if (text.n == 0) return;
    float* out = dh.f32_row(texts.offsets[b]);
    std::fill(out, out + text.n * text.d, 0.0f);
    for (std::size_t m = 0; m < modes.size(); ++m) {
      pool_text_backward(text, modes[m], de.f32_row(b) + static_cast<std::int64_t>(m) * h.cols, out);
    }
  });
}

}  // namespace sgpt::cpu
