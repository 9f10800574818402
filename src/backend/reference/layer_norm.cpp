// LayerNorm (arXiv 1607.06450) and RMSNorm (arXiv 1910.07467) over the columns of each row.
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

void ReferenceBackend::rms_norm(ConstMatrix x, ConstMatrix weight, const RmsNorm& norm, Matrix y, Matrix stats) {
  checks::normalizes_squares(x, weight, y, stats);
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const float* row = x.f32_row(t);
    float* out = y.f32_row(t);
    double squares = 0;
    for (std::int64_t c = 0; c < x.cols; ++c) squares += static_cast<double>(row[c]) * row[c];
    const double rstd = 1 / std::sqrt(squares / static_cast<double>(x.cols) + static_cast<double>(norm.eps));
    for (std::int64_t c = 0; c < x.cols; ++c) {
      const double normal = row[c] * rstd * (static_cast<double>(weight.f32()[c]) + norm.plus);
      out[c] = static_cast<float>((norm.add ? out[c] : 0) + normal);
    }
    if (stats) stats.f32()[t] = static_cast<float>(rstd);
  }
}

void ReferenceBackend::rms_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, const RmsNorm& norm,
                                         ConstMatrix dy, Matrix dx, Matrix dweight) {
  checks::normalizes_squares_backward(x, stats, weight, dy, dx, dweight);
  std::vector<double> sums(static_cast<std::size_t>(x.cols));
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const double rstd = stats.f32()[t];
    const auto normal = [&](std::int64_t c) { return x.f32_row(t)[c] * rstd; };
    const auto dnormal = [&](std::int64_t c) {
      return static_cast<double>(dy.f32_row(t)[c]) * (static_cast<double>(weight.f32()[c]) + norm.plus);
    };
    double through_squares = 0;
    for (std::int64_t c = 0; c < x.cols; ++c) through_squares += dnormal(c) * normal(c) / static_cast<double>(x.cols);
    for (std::int64_t c = 0; c < x.cols; ++c) {
      dx.f32_row(t)[c] += static_cast<float>(rstd * (dnormal(c) - normal(c) * through_squares));
      sums[static_cast<std::size_t>(c)] += dy.f32_row(t)[c] * normal(c);
    }
  }
  if (!dweight) return;
  for (std::int64_t c = 0; c < x.cols; ++c) dweight.f32()[c] += static_cast<float>(sums[static_cast<std::size_t>(c)]);
}

}  // namespace sgpt::reference
