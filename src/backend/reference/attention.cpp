// Self-attention, text by text and head by head, with ALiBi (arXiv 2108.12409), windows and grouped heads (arXiv
// 2305.13245); rotary positions (arXiv 2104.09864).
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {
namespace {

/// One head of one text: rows are positions within the text, columns are within the head.
struct Head {
  const ConstQkv& qkv;
  const AttentionOptions& options;
  std::int64_t first, length, head;

  const float* q(std::int64_t i) const { return qkv.query.f32_at(first + i, head); }
  const float* k(std::int64_t i) const { return qkv.key.f32_at(first + i, key_head()); }
  const float* v(std::int64_t i) const { return qkv.value.f32_at(first + i, key_head()); }
  std::int64_t key_head() const { return head / options.group(); }
  double slope() const { return options.slopes ? options.slopes.f32()[head] : 0; }
  /// The first key that query i sees.
  std::int64_t first_key(std::int64_t i) const {
    return options.window > 0 ? std::max<std::int64_t>(0, i - options.window + 1) : 0;
  }
  /// Past the last one.
  std::int64_t end_key(std::int64_t i) const {
    if (options.causal) return i + 1;
    return options.window > 0 ? std::min(length, i + options.window) : length;
  }
  double score(std::int64_t i, std::int64_t j) const {
    double dot = 0;
    for (std::int64_t c = 0; c < options.dim; ++c) dot += static_cast<double>(q(i)[c]) * k(j)[c];
    return dot * options.scale + slope() * static_cast<double>(j - i);
  }
};

template <class Function>
void for_each_head(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, Function function) {
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    for (std::int64_t h = 0; h < options.heads; ++h) {
      function(Head{qkv, options, texts.offsets[b], texts.offsets[b + 1] - texts.offsets[b], h});
    }
  }
}

}  // namespace

void ReferenceBackend::rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, Pairing pairing,
                              bool back) {
  checks::rotates(texts, x, heads, turns);
  const std::int64_t pairs = turns.cols / 2;
  const bool halves = pairing == Pairing::halves;
  const std::int64_t step = halves ? 1 : 2, apart = halves ? pairs : 1;  // from pair to pair, and within one
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    for (std::int64_t t = texts.offsets[b]; t < texts.offsets[b + 1]; ++t) {
      const float* turn = turns.f32_row(t - texts.offsets[b]);
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t i = 0; i < pairs; ++i) {
          const std::int64_t one = i * step, other = one + apart;
          float* head = x.f32_at(t, h);
          const double cosine = turn[one], sine = back ? -turn[other] : turn[other];
          const double left = head[one], right = head[other];
          head[one] = static_cast<float>(left * cosine - right * sine);
          head[other] = static_cast<float>(right * cosine + left * sine);
        }
      }
    }
  }
}

void ReferenceBackend::attention(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                 Matrix y, Matrix log_sums) {
  checks::attends(texts, qkv, options, y, log_sums);
  std::vector<double> p(static_cast<std::size_t>(texts.longest));
  for_each_head(texts, qkv, options, [&](const Head& head) {
    for (std::int64_t i = 0; i < head.length; ++i) {
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t j = head.first_key(i); j < head.end_key(i); ++j) {
        p[static_cast<std::size_t>(j)] = head.score(i, j);
        highest = std::max(highest, p[static_cast<std::size_t>(j)]);
      }
      for (std::int64_t j = head.first_key(i); j < head.end_key(i); ++j) {
        p[static_cast<std::size_t>(j)] = std::exp(p[static_cast<std::size_t>(j)] - highest);
        sum += p[static_cast<std::size_t>(j)];
      }
      for (std::int64_t c = 0; c < options.dim; ++c) {
        double value = 0;
        for (std::int64_t j = head.first_key(i); j < head.end_key(i); ++j)
          value += p[static_cast<std::size_t>(j)] * head.v(j)[c];
        y.f32_row(head.first + i)[head.head * options.dim + c] = static_cast<float>(value / sum);
      }
      if (log_sums) log_sums.f32_row(head.first + i)[head.head] = static_cast<float>(highest + std::log(sum));
    }
  });
}

void ReferenceBackend::attention_backward(const PackedTexts& texts, const ConstQkv& qkv,
                                          const AttentionOptions& options, ConstMatrix log_sums, ConstMatrix dy,
                                          const Qkv& dqkv) {
  checks::attends_backward(texts, qkv, options, log_sums, dy, dqkv);
  std::vector<double> p(static_cast<std::size_t>(texts.longest)), dp(p.size()), dk, dv;
  for_each_head(texts, qkv, options, [&](const Head& head) {
    const auto size = static_cast<std::size_t>(head.length * options.dim);
    std::vector<double> dq(size);
    if (head.head % options.group() == 0) dk.assign(size, 0), dv.assign(size, 0);  // sums over the heads of a group
    for (std::int64_t i = 0; i < head.length; ++i) {
      const float* dout = dy.f32_row(head.first + i) + head.head * options.dim;
      double mean_dp = 0;  // Σ_j p_ij · dp_ij
      for (std::int64_t j = head.first_key(i); j < head.end_key(i); ++j) {
        double& dpj = dp[static_cast<std::size_t>(j)] = 0;
        for (std::int64_t c = 0; c < options.dim; ++c) dpj += static_cast<double>(dout[c]) * head.v(j)[c];
        p[static_cast<std::size_t>(j)] = std::exp(head.score(i, j) - log_sums.f32_row(head.first + i)[head.head]);
        mean_dp += p[static_cast<std::size_t>(j)] * dpj;
      }
      for (std::int64_t j = head.first_key(i); j < head.end_key(i); ++j) {
        const double pj = p[static_cast<std::size_t>(j)];
        const double dscore = pj * (dp[static_cast<std::size_t>(j)] - mean_dp) * options.scale;
        for (std::int64_t c = 0; c < options.dim; ++c) {
          dq[static_cast<std::size_t>(i * options.dim + c)] += dscore * head.k(j)[c];
          dk[static_cast<std::size_t>(j * options.dim + c)] += dscore * head.q(i)[c];
          dv[static_cast<std::size_t>(j * options.dim + c)] += pj * dout[c];
        }
      }
    }
    for (std::int64_t i = 0; i < head.length; ++i) {
      for (std::int64_t c = 0; c < options.dim; ++c) {
        const auto from = static_cast<std::size_t>(i * options.dim + c);
        dqkv.query.f32_at(head.first + i, head.head)[c] = static_cast<float>(dq[from]);
        dqkv.key.f32_at(head.first + i, head.key_head())[c] = static_cast<float>(dk[from]);
        dqkv.value.f32_at(head.first + i, head.key_head())[c] = static_cast<float>(dv[from]);
      }
    }
  });
}

}  // namespace sgpt::reference
