// Attention in bf16 on plain tiles, on every processor, and on AMX, where it is: near the same in f32, forward and
// backward, alike on both, and a row alike whatever the text goes on with.
#include <array>
#include <cmath>
#include <vector>

#include "backend/cpu/processor.h"
#include "backend/cpu/vector_ops.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

struct Case {
  std::int64_t length, dim, window;
  bool causal;
  std::int64_t group;  // query heads of the head of keys and values
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{{1, 16, 0, true, 1},     {31, 64, 0, true, 1}, {33, 80, 0, true, 2},
                                     {100, 64, 0, true, 1},   {97, 8, 40, true, 3}, {70, 64, 0, false, 1},
                                     {130, 48, 20, false, 1}, {65, 128, 1, true, 1}};
  return all;
}

/// A head of keys and values, its query heads, and what attention makes of them.
class OneHead {
 public:
  OneHead(Random& random, const Case& one)
      : case_(one),
        q_(random.matrix(one.length, one.group * one.dim)),
        k_(random.matrix(one.length, one.dim)),
        v_(random.matrix(one.length, one.dim)),
        dy_(random.matrix(one.length, one.group * one.dim)),
        slopes_(random.matrix(1, one.group, 0.2F)) {}

  using Attend = void (*)(const cpu::AttentionHead&, const cpu::HeadGroup&, cpu::HeadRows<float>, float*,
                          cpu::Workspace&);
  using AttendBackward = void (*)(const cpu::AttentionHead&, const cpu::HeadGroup&, cpu::HeadRows<const float>,
                                  const cpu::AttentionGradients&, cpu::Workspace&);

  Owned forward(Attend attend, std::int64_t length, Owned& log_sums) {
    Owned y(case_.length, case_.group * case_.dim);
    log_sums = Owned(case_.length, case_.group);
    cpu::Workspace workspace;
    attend(head(length), group(), {&y[0], y.cols()}, &log_sums[0], workspace);
    return y;
  }
  std::array<Owned, 3> backward(AttendBackward attend, Owned& log_sums) {
    Owned dq(case_.length, case_.group * case_.dim), dk(case_.length, case_.dim), dv(case_.length, case_.dim);
    cpu::Workspace workspace;
    cpu::AttentionHead one = head(case_.length);
    one.log_sums = &log_sums[0];
    attend(one, group(), {&dy_[0], dy_.cols()},
           {{&dq[0], dq.cols()}, {&dk[0], dk.cols()}, {&dv[0], dv.cols()}, case_.dim}, workspace);
    return {dq, dk, dv};
  }

 private:
  cpu::AttentionHead head(std::int64_t length) {
    return {.length = length,
            .dim = case_.dim,
            .window = case_.window > 0 ? case_.window : length,
            .heads = case_.group,
            .causal = case_.causal,
            .slope = 0,
            .scale = 1 / std::sqrt(static_cast<float>(case_.dim)),
            .q = {&q_[0], q_.cols()},
            .k = {&k_[0], k_.cols()},
            .v = {&v_[0], v_.cols()},
            .log_sums = nullptr};
  }
  cpu::HeadGroup group() { return {.size = case_.group, .stride = case_.dim, .slopes = &slopes_[0]}; }

  Case case_;
  Owned q_, k_, v_, dy_, slopes_;
};

class AttentionOnTiles : public ::testing::TestWithParam<Case> {
 protected:
  Random random_{59};
  OneHead head_{random_, GetParam()};
  Owned sums_, expected_sums_;
};

TEST_P(AttentionOnTiles, IsNearF32) {
  const Owned y = head_.forward(cpu::attend_plain_bf16, GetParam().length, sums_);
  const Owned expected = head_.forward(cpu::attend, GetParam().length, expected_sums_);
  EXPECT_LT(relative_error(y, expected), 1.5e-2);
  EXPECT_LT(relative_error(sums_, expected_sums_), 1.5e-2);
  const auto gradients = head_.backward(cpu::attend_backward_plain_bf16, sums_);
  const auto expected_gradients = head_.backward(cpu::attend_backward, expected_sums_);
  if (GetParam().length > 1 && GetParam().window != 1) {  // of one key there are none but of values
    EXPECT_LT(relative_error(gradients[0], expected_gradients[0]), 3e-2);
    EXPECT_LT(relative_error(gradients[1], expected_gradients[1]), 3e-2);
  }
  EXPECT_LT(relative_error(gradients[2], expected_gradients[2]), 1.5e-2);
}

TEST_P(AttentionOnTiles, OfTheProcessorHasTheBitsOfPlainOnes) {
  if (!cpu::processor().amx_bf16) GTEST_SKIP() << "this processor has no AMX";
  const Owned y = head_.forward(cpu::attend_bf16, GetParam().length, sums_);
  EXPECT_TRUE(same_bits(y, head_.forward(cpu::attend_plain_bf16, GetParam().length, expected_sums_)));
  EXPECT_TRUE(same_bits(sums_, expected_sums_));
  const auto gradients = head_.backward(cpu::attend_backward_bf16, sums_);
  const auto expected = head_.backward(cpu::attend_backward_plain_bf16, sums_);
  for (std::size_t i = 0; i < gradients.size(); ++i) EXPECT_TRUE(same_bits(gradients[i], expected[i])) << i;
}

TEST_P(AttentionOnTiles, RowsDoNotDependOnWhatFollowsThem) {
  if (!GetParam().causal) GTEST_SKIP() << "each row sees all others";
  const Owned y = head_.forward(cpu::attend_plain_bf16, GetParam().length, sums_);
  for (std::int64_t length = 1; length < GetParam().length; length += 13) {
    const Owned start = head_.forward(cpu::attend_plain_bf16, length, expected_sums_);
    EXPECT_TRUE(same_bits(start.slice(0, length), y.slice(0, length))) << length;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, AttentionOnTiles, ::testing::ValuesIn(cases()), [](const auto& of) {
  const Case& one = of.param;
  return std::to_string(one.length) + "_dim" + std::to_string(one.dim) + "_window" + std::to_string(one.window) +
         (one.causal ? "_causal" : "_both") + "_group" + std::to_string(one.group);
});

}  // namespace
}  // namespace sgpt::testing
