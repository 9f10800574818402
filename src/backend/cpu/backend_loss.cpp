// Unit rows and cross-entropy: a task a row, sums in double.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

constexpr double kSmallestNorm = 1e-12;  // as torch.nn.functional.normalize
constexpr std::int64_t kRowsPerTask = 16;

/// Replaces one row of scores by its share of the gradient, returns its loss.
double cross_entropy_row(float* row, std::int64_t candidates, std::int64_t label, double texts) {
  const double highest = *std::max_element(row, row + candidates);
  std::vector<double> p(static_cast<std::size_t>(candidates));
  double sum = 0;
  for (std::int64_t c = 0; c < candidates; ++c) sum += p[static_cast<std::size_t>(c)] = std::exp(row[c] - highest);
  const double loss = highest + std::log(sum) - row[label];
  for (std::int64_t c = 0; c < candidates; ++c) {
    row[c] = static_cast<float>((p[static_cast<std::size_t>(c)] / sum - (c == label ? 1 : 0)) / texts);
  }
  return loss;
}

}  // namespace

void CpuBackend::normalize_rows(ConstMatrix x, Matrix y, Matrix norms) {
  checks::normalizes_rows(x, y, norms);
  parallel_ranges(x.rows, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* row = x.f32_row(r);
      const double norm = std::sqrt(dot(row, row, x.cols));
      const auto scale = static_cast<float>(1 / std::max(norm, kSmallestNorm));
      combine(scale, row, 0, row, x.cols, y.f32_row(r));
      if (norms) norms.f32_row(r)[0] = static_cast<float>(norm);
    }
  });
}

void CpuBackend::normalize_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, Matrix dx) {
  checks::normalizes_rows_backward(y, norms, dy, dx);
  parallel_ranges(y.rows, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const double norm = norms.f32_row(r)[0], scale = 1 / std::max(norm, kSmallestNorm);
      // The part of dy along y changes only the length, which y does not have.
      const double along = norm >= kSmallestNorm ? dot(y.f32_row(r), dy.f32_row(r), y.cols) : 0;
      combine(static_cast<float>(scale), dy.f32_row(r), static_cast<float>(-along * scale), y.f32_row(r), y.cols,
              dx.f32_row(r));
    }
  });
}

double CpuBackend::cross_entropy(Matrix scores, std::span<const std::int32_t> labels) {
  checks::compares(scores, labels);
  if (scores.rows == 0) return 0;
  const auto texts = static_cast<double>(scores.rows);
  std::vector<double> losses(labels.size());
  parallel_tasks(scores.rows, [&](std::int64_t b) {
    const auto at = static_cast<std::size_t>(b);
    losses[at] = cross_entropy_row(scores.f32_row(b), scores.cols, labels[at], texts);
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0) / texts;
}

}  // namespace sgpt::cpu
