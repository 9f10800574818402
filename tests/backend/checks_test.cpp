// Matrices of a wrong shape or type are refused by every backend, with operation and shapes, in every build.
#include <gmock/gmock.h>

#include <stdexcept>

#include "backend/reference/reference_backend.h"
#include "devices.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Checks : public ::testing::TestWithParam<const char*> {
 protected:
  template <class Function>
  static void refused(Function function, const char* operation, const char* shapes) {
    EXPECT_THAT(function, ThrowsMessage<std::logic_error>(AllOf(HasSubstr(operation), HasSubstr(shapes))));
  }

  std::unique_ptr<Backend> backend_ = make_backend(GetParam());
  Owned x_{4, 6}, y_{4, 5}, wide_{4, 7}, row_{1, 6};
};

TEST_P(Checks, RefuseWrongShapes) {
  const auto weight = backend_->pack(Owned(5, 6), WeightUse::forward_and_backward);
  refused([&] { backend_->linear(wide_, *weight, {}, y_, Epilogue::none); }, "linear", "[4, 7] of f32, [5, 6] of f32");
  refused([&] { backend_->linear(x_, *weight, {}, wide_, Epilogue::none); }, "linear", "[4, 7]");
  refused([&] { backend_->linear(x_.slice(0, 3), *weight, {}, y_, Epilogue::none); }, "linear", "[3, 6]");
  refused([&] { backend_->linear_backward_input(x_, *weight, x_); }, "linear_backward_input", "[4, 6]");
  refused([&] { backend_->linear_backward_weight(y_, x_.slice(0, 2), Owned(5, 6)); }, "linear_backward_weight",
          "[2, 6]");
  refused([&] { backend_->linear_backward_bias(y_, row_); }, "linear_backward_bias", "[1, 6]");
  refused([&] { backend_->layer_norm(x_, row_, row_, 1e-5f, wide_, {}); }, "layer_norm", "[4, 7]");
  refused([&] { backend_->matmul(x_, false, y_, false, 1, y_); }, "matmul", "[4, 6] of f32, [4, 5] of f32");
  refused([&] { backend_->gelu(x_, y_); }, "gelu", "[4, 5]");
  refused([&] { backend_->upload(x_, y_); }, "moving", "[4, 5]");
  refused([&] { backend_->normalize_rows(x_, y_, {}); }, "normalize_rows", "[4, 5]");
  refused([&] { backend_->cross_entropy(x_, std::vector<std::int32_t>{1, 2}); }, "cross_entropy", "[4, 6]");
  refused([&] { backend_->cross_entropy(x_, std::vector<std::int32_t>{1, 2, 6, 0}); }, "cross_entropy", "[4, 6]");
  refused([&] { backend_->adamw({}, x_, y_, x_, x_); }, "adamw", "[4, 5]");
}

TEST_P(Checks, RefuseWrongTypes) {
  const auto weight = backend_->pack(Owned(5, 6), WeightUse::forward);
  const ConstMatrix halves(x_.values().data(), 4, 6, DType::bf16);
  refused([&] { backend_->linear(halves, *weight, {}, y_, Epilogue::none); }, "linear", "[4, 6] of bf16");
  refused([&] { backend_->pack({x_.values().data(), 4, 6, DType::i32}, WeightUse::forward); }, "pack", "of i32");
  refused(
      [&] {
        backend_->pack({x_.values().data(), 4, 6, DType::i8}, WeightUse::forward);
      },
      "scales[out,blocks]", "i8");
  refused([&] { (void)halves.f32(); }, "bf16", "f32");
  if (GetParam() == std::string_view("cpu")) {
    refused([&] { backend_->linear_backward_input(y_, *weight, x_); }, "linear_backward_input", "packed for it");
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Checks, ::testing::Values("cpu", "reference"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace sgpt::testing
