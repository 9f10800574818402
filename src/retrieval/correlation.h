// How two lists of numbers go together: Pearson's and Spearman's correlation, as SciPy computes them, and the
// similarities of two embeddings that they are computed of.
#pragma once

#include <span>
#include <vector>

namespace sgpt {

/// Between -1 and 1; no number (NaN) where one of the lists is constant. The lists are equally long.
double pearson(std::span<const double> a, std::span<const double> b);

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> average_ranks(std::span<const double> values);

/// Pearson's of the average ranks.
double spearman(std::span<const double> a, std::span<const double> b);

double dot_product(std::span<const float> u, std::span<const float> v);
/// 0 where one of them is a zero vector.
double cosine(std::span<const float> u, std::span<const float> v);
double euclidean_distance(std::span<const float> u, std::span<const float> v);
double manhattan_distance(std::span<const float> u, std::span<const float> v);

}  // namespace sgpt
