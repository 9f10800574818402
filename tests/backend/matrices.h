// Matrices that own their numbers, random batches, and comparisons, for the tests of the backends.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "tensor/arena.h"

namespace sgpt::testing {

/// An f32 matrix on the host.
class Owned {
 public:
  Owned() = default;
  Owned(std::int64_t rows, std::int64_t cols, float value = 0)
      : rows_(rows), cols_(cols), values_(static_cast<std::size_t>(rows * cols), value) {}

  operator Matrix() { return {values_.data(), rows_, cols_}; }
  operator ConstMatrix() const { return {values_.data(), rows_, cols_}; }
  float& operator[](std::int64_t i) { return values_[static_cast<std::size_t>(i)]; }
  float operator[](std::int64_t i) const { return values_[static_cast<std::size_t>(i)]; }
  float& at(std::int64_t row, std::int64_t col) { return (*this)[row * cols_ + col]; }
  float at(std::int64_t row, std::int64_t col) const { return (*this)[row * cols_ + col]; }
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t size() const { return rows_ * cols_; }
  const std::vector<float>& values() const { return values_; }

  Owned slice(std::int64_t first, std::int64_t count) const {
    Owned part(count, cols_);
    std::copy_n(values_.begin() + first * cols_, count * cols_, part.values_.begin());
    return part;
  }

 private:
  std::int64_t rows_ = 0, cols_ = 0;
  std::vector<float> values_;
};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  Owned matrix(std::int64_t rows, std::int64_t cols, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    Owned m(rows, cols);
    for (std::int64_t i = 0; i < m.size(); ++i) m[i] = normal(engine_);
    return m;
  }
  /// Texts of the given lengths with ids below `vocabulary`.
  TokenBatch batch(const std::vector<int>& lengths, std::int32_t vocabulary = 50) {
    std::uniform_int_distribution<std::int32_t> id(0, vocabulary - 1);
    TokenBatch batch;
    for (const int length : lengths) {
      std::vector<std::int32_t> text(static_cast<std::size_t>(length));
      for (auto& t : text) t = id(engine_);
      batch.add(text);
    }
    return batch;
  }
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

/// The largest difference, relative to the largest value expected.
inline double relative_error(const Owned& found, const Owned& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0, largest = 1e-30;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(found[i])) return std::numeric_limits<double>::infinity();
    error = std::max(error, std::abs(static_cast<double>(found[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return error / largest;
}

/// The largest difference of an element, relative to itself, or to the mean magnitude in its row where that is larger:
/// small rows and elements may not be wrong beside large ones.
inline double element_error(const Owned& found, const Owned& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0;
  for (std::int64_t row = 0; row < expected.rows(); ++row) {
    double mean = 1e-30;
    for (std::int64_t j = 0; j < expected.cols(); ++j) {
      mean += std::abs(static_cast<double>(expected.at(row, j))) / static_cast<double>(expected.cols());
    }
    for (std::int64_t j = 0; j < expected.cols(); ++j) {
      if (!std::isfinite(found.at(row, j))) return std::numeric_limits<double>::infinity();
      const double value = expected.at(row, j);
      error = std::max(error, std::abs(found.at(row, j) - value) / std::max(mean, std::abs(value)));
    }
  }
  return error;
}

/// Whether the largest values are right to `tolerance`, and every element to some of it.
inline ::testing::AssertionResult near(const Owned& found, const Owned& expected, double tolerance) {
  constexpr double kElements = 16;
  const double largest = relative_error(found, expected), element = element_error(found, expected);
  if (largest < tolerance && element < kElements * tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "beside the largest value " << largest << ", of an element " << element
                                       << "; at most " << tolerance << " and " << kElements * tolerance;
}

/// Bit by bit.
inline ::testing::AssertionResult same_bits(const Owned& a, const Owned& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const float x = a[i], y = b[i];
    if (std::memcmp(&x, &y, sizeof x) != 0) {
      return ::testing::AssertionFailure()
             << "row " << i / a.cols() << ", column " << i % a.cols() << ": " << x << " and " << y;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace sgpt::testing
