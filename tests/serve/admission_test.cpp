// The expected wait, and who is refused for it.
#include "serve/admission.h"

#include <gtest/gtest.h>

#include "serve/batch_former.h"
#include "work_requests.h"

namespace sgpt::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::add;
using testing::at;
using testing::input;

std::int32_t next_name = 1;

void add_list(BatchQueue& queue, std::size_t count, std::int64_t tokens) {
  std::vector<Input> inputs;
  for (std::size_t i = 0; i < count; ++i) inputs.push_back(input(next_name++, tokens));
  add(queue, std::move(inputs));
}

TEST(Admission, AnIdleServerTakesAnyList) {
  const BatchQueue queue;
  EXPECT_EQ(tokens_before(queue, Class::bulk), 0);
  EXPECT_FALSE(refused(queue, Class::bulk, 1.0, {}));
}

TEST(Admission, AQuestionWaitsForQuestionsAndForBulksShare) {
  BatchQueue queue;
  add_list(queue, 1, 90);
  EXPECT_EQ(tokens_before(queue, Class::interactive), 90);
  add_list(queue, 100, 50);
  EXPECT_EQ(tokens_before(queue, Class::interactive), 90 + 30);
  BatchFormer().form(queue, 200, at(0));  // what is being computed counts as well
  EXPECT_EQ(tokens_before(queue, Class::interactive), queue.computing_tokens());

  add_list(queue, 1, 200);
  const auto wait = expected_wait(queue, Class::interactive, 100);
  EXPECT_NEAR(std::chrono::duration<double>(wait).count(),
              static_cast<double>(tokens_before(queue, Class::interactive)) / 100, 1e-6);
  EXPECT_FALSE(refused(queue, Class::interactive, 100, {.max_wait = wait}));
  EXPECT_EQ(refused(queue, Class::interactive, 100, {.max_wait = wait - milliseconds(1)}), wait);
}

TEST(Admission, AFifthListWaitsUntilOneOfFourEnds) {
  BatchQueue queue;
  add_list(queue, 10, 100);  // 1,000
  add_list(queue, 20, 100);
  add_list(queue, 30, 100);
  EXPECT_EQ(tokens_before(queue, Class::bulk), 0);  // a fourth one has its turn at once
  add_list(queue, 40, 100);
  EXPECT_EQ(tokens_before(queue, Class::bulk), 4 * 1000);
  add_list(queue, 50, 100);  // begins when the first ends; a sixth then when the second does, another 1,000 later
  EXPECT_EQ(tokens_before(queue, Class::bulk), 1000 + 3 * 2000 + 1000);
  EXPECT_FALSE(refused(queue, Class::bulk, 100, {.max_bulk_wait = seconds(80)}));
  EXPECT_TRUE(refused(queue, Class::bulk, 100, {.max_bulk_wait = seconds(79)}));
}

TEST(Admission, ThePaceFollowsWhatIsMeasured) {
  Pace pace(100);
  pace.measured(0, seconds(1));
  EXPECT_EQ(pace.of_a_lane(), 100);
  for (int i = 0; i < 500; ++i) pace.measured(50, milliseconds(100));
  EXPECT_NEAR(pace.of_a_lane(), 500, 10);
  pace.measured(1, milliseconds(20));  // one slow batch is no trend
  EXPECT_NEAR(pace.of_a_lane(), 500, 25);
}

}  // namespace
}  // namespace sgpt::serve
