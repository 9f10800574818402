#include "retrieval/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sgpt {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double pearson(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a);
  const double mean_b = mean(b);
  double both = 0;
  double of_a = 0;
  double of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - mean_a;
    const double y = b[i] - mean_b;
    both += x * y;
    of_a += x * x;
    of_b += y * y;
  }
  return std::clamp(both / std::sqrt(of_a) / std::sqrt(of_b), -1.0, 1.0);  // NaN stays what it is
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;  // of begin + 1 … end
    for (; begin < end; ++begin) ranks[order[begin]] = rank;
  }
  return ranks;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  return pearson(average_ranks(a), average_ranks(b));
}

double dot_product(std::span<const float> u, std::span<const float> v) {
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i) sum += static_cast<double>(u[i]) * static_cast<double>(v[i]);
  return sum;
}

double cosine(std::span<const float> u, std::span<const float> v) {
  const double lengths = std::sqrt(dot_product(u, u)) * std::sqrt(dot_product(v, v));
  return lengths > 0 ? dot_product(u, v) / lengths : 0;
}

double euclidean_distance(std::span<const float> u, std::span<const float> v) {
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double difference = static_cast<double>(u[i]) - static_cast<double>(v[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

double manhattan_distance(std::span<const float> u, std::span<const float> v) {
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i) sum += std::abs(static_cast<double>(u[i]) - static_cast<double>(v[i]));
  return sum;
}

}  // namespace sgpt
