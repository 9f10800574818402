// What the tests of operations share: one table of shapes, and every device beside the reference.
#pragma once

#include <fmt/format.h>

#include "backend/reference/reference_backend.h"
#include "devices.h"
#include "matrices.h"

namespace sgpt::testing {

struct Shape {
  std::string name;
  std::vector<int> lengths;
  std::int64_t heads, dim;
  std::int64_t d() const { return heads * dim; }
};

inline std::vector<Shape> shapes() {
  return {
      {"one_token", {1}, 2, 8},
      {"empty_texts", {0, 3, 0, 1, 0}, 2, 16},
      {"only_empty_texts", {0, 0}, 2, 16},
      {"ragged", {5, 1, 17, 2, 24, 25, 9}, 4, 16},
      {"odd_head", {31, 7, 1, 20}, 3, 20},
      {"tiny_odd_head", {6, 13}, 3, 5},
      {"head_80", {49, 48, 3}, 2, 80},
      {"head_112", {66, 1}, 2, 112},
      {"head_128", {70, 12}, 1, 128},
      {"long", {300, 1, 130}, 2, 64},
      {"wide", {40, 29}, 5, 64},
  };
}

struct OperationCase {
  Device device;
  Shape shape;
};

inline void PrintTo(const OperationCase& c, std::ostream* out) { *out << c.shape.name << " on " << c.device.name; }

inline std::vector<OperationCase> cases() {
  std::vector<OperationCase> all;
  for (const Device& device : devices()) {
    for (const Shape& shape : shapes()) all.push_back({device, shape});
  }
  return all;
}

class OperationTest : public ::testing::TestWithParam<OperationCase> {
 protected:
  const Shape& shape() const { return GetParam().shape; }
  std::int64_t tokens() const { return texts_.tokens; }

  Random random_{7};
  InstructionScope instructions_{GetParam().device};
  std::unique_ptr<Backend> backend_ = GetParam().device.make();
  std::unique_ptr<Backend> reference_ = make_reference_backend();
  Arena arena_{host_memory()};
  TokenBatch batch_ = random_.batch(shape().lengths);
  PackedTexts texts_ = backend_->place(batch_, arena_);
};

inline std::string name_of_case(const ::testing::TestParamInfo<OperationCase>& test) {
  return fmt::format("{}_{}", test.param.device.name, test.param.shape.name);
}

}  // namespace sgpt::testing
