// Tensors of a safetensors file among the fixtures, and how near what was computed must be to them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "model/safetensors.h"

namespace sgpt::testing {

using Tensors = std::map<std::string, std::vector<float>>;

inline Tensors read_tensors(const std::filesystem::path& path) {
  const MappedFile file(path);
  Tensors tensors;
  for (const CheckpointTensor& tensor : read_safetensors(file)) {
    EXPECT_EQ(tensor.type, DType::f32) << tensor.name;
    std::vector<float> values(tensor.bytes.size() / sizeof(float));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    tensors[tensor.name] = std::move(values);
  }
  return tensors;
}

/// `tolerance`: of the largest expected value.
inline void expect_close(std::span<const float> found, const std::vector<float>& expected, float tolerance,
                         const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  float largest = 0;
  float error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(found[i] - expected[i]));
  }
  EXPECT_LE(error, tolerance * largest) << what;
}

}  // namespace sgpt::testing
