// What the contrastive loss is made of: unit rows, products of matrices, cross-entropy.
#include <algorithm>
#include <cmath>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {
namespace {

constexpr double kSmallestNorm = 1e-12;  // as torch.nn.functional.normalize

}  // namespace

void ReferenceBackend::normalize_rows(ConstMatrix x, Matrix y, Matrix norms) {
  checks::normalizes_rows(x, y, norms);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (std::int64_t c = 0; c < x.cols; ++c) squares += static_cast<double>(x.f32_row(r)[c]) * x.f32_row(r)[c];
    const double norm = std::sqrt(squares);
    for (std::int64_t c = 0; c < x.cols; ++c) {
      y.f32_row(r)[c] = static_cast<float>(x.f32_row(r)[c] / std::max(norm, kSmallestNorm));
    }
    if (norms) norms.f32_row(r)[0] = static_cast<float>(norm);
  }
}

void ReferenceBackend::normalize_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, Matrix dx) {
  checks::normalizes_rows_backward(y, norms, dy, dx);
  for (std::int64_t r = 0; r < y.rows; ++r) {
    const double norm = norms.f32_row(r)[0];
    double along = 0;  // the part of dy along y changes only the length, which y does not have
    if (norm >= kSmallestNorm) {
      for (std::int64_t c = 0; c < y.cols; ++c) along += static_cast<double>(y.f32_row(r)[c]) * dy.f32_row(r)[c];
    }
    for (std::int64_t c = 0; c < y.cols; ++c) {
      const double across = dy.f32_row(r)[c] - along * y.f32_row(r)[c];
      dx.f32_row(r)[c] = static_cast<float>(across / std::max(norm, kSmallestNorm));
    }
  }
}

void ReferenceBackend::matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) {
  checks::multiplies_matrices(a, transpose_a, b, transpose_b, c);
  const std::int64_t inner = transpose_a ? a.rows : a.cols;
  for (std::int64_t m = 0; m < c.rows; ++m) {
    for (std::int64_t n = 0; n < c.cols; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < inner; ++k) {
        const double left = transpose_a ? a.f32_row(k)[m] : a.f32_row(m)[k];
        sum += left * (transpose_b ? b.f32_row(n)[k] : b.f32_row(k)[n]);
      }
      c.f32_row(m)[n] = static_cast<float>(alpha * sum);
    }
  }
}

double ReferenceBackend::cross_entropy(Matrix scores, std::span<const std::int32_t> labels) {
  checks::compares(scores, labels);
  if (scores.rows == 0) return 0;
  const auto texts = static_cast<double>(scores.rows);
  double loss = 0;
  for (std::int64_t b = 0; b < scores.rows; ++b) {
    float* row = scores.f32_row(b);
    const std::int64_t label = labels[static_cast<std::size_t>(b)];
    const double highest = *std::max_element(row, row + scores.cols);
    double sum = 0;
    for (std::int64_t c = 0; c < scores.cols; ++c) sum += std::exp(row[c] - highest);
    loss += highest + std::log(sum) - row[label];
    for (std::int64_t c = 0; c < scores.cols; ++c) {
      row[c] = static_cast<float>((std::exp(row[c] - highest) / sum - (c == label ? 1 : 0)) / texts);
    }
  }
  return loss / texts;
}

}  // namespace sgpt::reference
