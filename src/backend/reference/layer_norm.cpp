// LayerNorm (arXiv 1607.06450) over the columns of each row.
#include <cmath>
#include <vector>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {

void ReferenceBackend::layer_norm(ConstMatrix x, ConstMatrix weight, const Bias& bias, float eps, Matrix y,
                                  Matrix stats) {
  checks::normalizes_layer(x, weight, y, stats);
  const auto d = x.cols;
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const float* row = x.f32_row(t);
    double mean = 0;
    for (std::int64_t c = 0; c < d; ++c) mean += row[c];
    mean /= static_cast<double>(d);
    double variance = 0;
    for (std::int64_t c = 0; c < d; ++c) variance += (row[c] - mean) * (row[c] - mean);
    variance /= static_cast<double>(d);
    const double rstd = 1 / std::sqrt(variance + static_cast<double>(eps));
    for (std::int64_t c = 0; c < d; ++c) {
      y.f32_row(t)[c] = static_cast<float>((row[c] - mean) * rstd * weight.f32()[c] + bias.of(t)[c]);
    }
    if (stats) {
      stats.f32_row(t)[0] = static_cast<float>(mean);
      stats.f32_row(t)[1] = static_cast<float>(rstd);
    }
  }
}

void ReferenceBackend::layer_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy,
                                           Matrix dx, Matrix dweight, Matrix dbias) {
  checks::normalizes_layer_backward(x, stats, weight, dy, dx, dweight, dbias);
  const auto d = x.cols;
  std::vector<double> dweight_sum(static_cast<std::size_t>(d)), dbias_sum(static_cast<std::size_t>(d));
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const double mean = stats.f32_row(t)[0], rstd = stats.f32_row(t)[1];
    const auto normal = [&](std::int64_t c) { return (x.f32_row(t)[c] - mean) * rstd; };
    const auto dnormal = [&](std::int64_t c) { return static_cast<double>(dy.f32_row(t)[c]) * weight.f32()[c]; };
    // What the mean and the variance, which depend on every x of the row, pass back.
    double through_mean = 0, through_variance = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      through_mean += dnormal(c) / static_cast<double>(d);
      through_variance += dnormal(c) * normal(c) / static_cast<double>(d);
    }
    for (std::int64_t c = 0; c < d; ++c) {
      dx.f32_row(t)[c] += static_cast<float>(rstd * (dnormal(c) - through_mean - normal(c) * through_variance));
      dweight_sum[static_cast<std::size_t>(c)] += dy.f32_row(t)[c] * normal(c);
      dbias_sum[static_cast<std::size_t>(c)] += dy.f32_row(t)[c];
    }
  }
  for (std::int64_t c = 0; c < d; ++c) {
    if (dweight) dweight.f32()[c] += static_cast<float>(dweight_sum[static_cast<std::size_t>(c)]);
    if (dbias) dbias.f32()[c] += static_cast<float>(dbias_sum[static_cast<std::size_t>(c)]);
  }
}

}  // namespace sgpt::reference
