// Causal self-attention with ALiBi (arXiv 2108.12409), text by text and head by head.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/reference/reference_backend.h"

namespace sgpt::reference {
namespace {

/// One head of one text: rows are positions within the text, columns are within the head.
struct Head {
  ConstMatrix qkv;
  std::int64_t first, length, dim, head;
  double slope, scale;

  std::int64_t column(int part) const { return (head * 3 + part) * dim; }
  const float* q(std::int64_t i) const { return qkv.f32_row(first + i) + column(0); }
  const float* k(std::int64_t i) const { return qkv.f32_row(first + i) + column(1); }
  const float* v(std::int64_t i) const { return qkv.f32_row(first + i) + column(2); }
  double score(std::int64_t i, std::int64_t j) const {
    double dot = 0;
    for (std::int64_t c = 0; c < dim; ++c) dot += static_cast<double>(q(i)[c]) * k(j)[c];
    return dot * scale + slope * static_cast<double>(j - i);
  }
};

template <class Function>
void for_each_head(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes, Function function) {
  const std::int64_t heads = slopes.cols;
  const std::int64_t dim = qkv.cols / 3 / heads;
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      function(Head{qkv, texts.offsets[b], texts.offsets[b + 1] - texts.offsets[b], dim, h, slopes.f32()[h],
                    1 / std::sqrt(static_cast<double>(dim))});
    }
  }
}

}  // namespace

void ReferenceBackend::attention(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes, Matrix y,
                                 Matrix log_sums) {
  std::vector<double> p(static_cast<std::size_t>(texts.longest));
  for_each_head(texts, qkv, slopes, [&](const Head& head) {
    for (std::int64_t i = 0; i < head.length; ++i) {
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t j = 0; j <= i; ++j) {
        p[static_cast<std::size_t>(j)] = head.score(i, j);
        highest = std::max(highest, p[static_cast<std::size_t>(j)]);
      }
      for (std::int64_t j = 0; j <= i; ++j) {
        p[static_cast<std::size_t>(j)] = std::exp(p[static_cast<std::size_t>(j)] - highest);
        sum += p[static_cast<std::size_t>(j)];
      }
      for (std::int64_t c = 0; c < head.dim; ++c) {
        double value = 0;
        for (std::int64_t j = 0; j <= i; ++j) value += p[static_cast<std::size_t>(j)] * head.v(j)[c];
        y.f32_row(head.first + i)[head.head * head.dim + c] = static_cast<float>(value / sum);
      }
      if (log_sums) log_sums.f32_row(head.first + i)[head.head] = static_cast<float>(highest + std::log(sum));
    }
  });
}

void ReferenceBackend::attention_backward(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes,
                                          ConstMatrix log_sums, ConstMatrix dy, Matrix dqkv) {
  std::vector<double> p(static_cast<std::size_t>(texts.longest)), dp(p.size());
  for_each_head(texts, qkv, slopes, [&](const Head& head) {
    const auto size = static_cast<std::size_t>(head.length * head.dim);
    std::vector<double> dq(size), dk(size), dv(size);
    for (std::int64_t i = 0; i < head.length; ++i) {
      const float* dout = dy.f32_row(head.first + i) + head.head * head.dim;
      double mean_dp = 0;  // Σ_j p_ij · dp_ij
      for (std::int64_t j = 0; j <= i; ++j) {
        double& dpj = dp[static_cast<std::size_t>(j)] = 0;
        for (std::int64_t c = 0; c < head.dim; ++c) dpj += static_cast<double>(dout[c]) * head.v(j)[c];
        p[static_cast<std::size_t>(j)] = std::exp(head.score(i, j) - log_sums.f32_row(head.first + i)[head.head]);
        mean_dp += p[static_cast<std::size_t>(j)] * dpj;
      }
      for (std::int64_t j = 0; j <= i; ++j) {
        const double pj = p[static_cast<std::size_t>(j)];
        const double dscore = pj * (dp[static_cast<std::size_t>(j)] - mean_dp) * head.scale;
        for (std::int64_t c = 0; c < head.dim; ++c) {
          dq[static_cast<std::size_t>(i * head.dim + c)] += dscore * head.k(j)[c];
          dk[static_cast<std::size_t>(j * head.dim + c)] += dscore * head.q(i)[c];
          dv[static_cast<std::size_t>(j * head.dim + c)] += pj * dout[c];
        }
      }
    }
    for (std::int64_t i = 0; i < head.length; ++i) {
      float* row = dqkv.f32_row(head.first + i);
      for (std::int64_t c = 0; c < head.dim; ++c) {
        const auto from = static_cast<std::size_t>(i * head.dim + c);
        row[head.column(0) + c] = static_cast<float>(dq[from]);
        row[head.column(1) + c] = static_cast<float>(dk[from]);
        row[head.column(2) + c] = static_cast<float>(dv[from]);
      }
    }
  });
}

}  // namespace sgpt::reference
