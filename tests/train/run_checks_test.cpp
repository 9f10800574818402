// What is said of a run's steps before the first one.
#include "train/run_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "sgpt/error.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;

/// Examples that have a number for a text.
class Numbers : public TrainingSet {
 public:
  Numbers(std::int64_t size, std::int64_t negatives) : size_(size), negatives_(negatives) {}
  std::int64_t size() const override { return size_; }
  std::int64_t negatives_per_query() const override { return negatives_; }
  std::uint64_t fingerprint() const override { return 0; }
  TrainingBatch batch(std::span<const std::int64_t>, std::int64_t) const override { return {}; }
  void texts(std::int64_t example, std::int64_t, std::vector<std::uint64_t>& hashes) const override {
    hashes.push_back(100 + static_cast<std::uint64_t>(example));
    hashes.push_back(static_cast<std::uint64_t>(example) / 2);  // each stands twice
    if (negatives_ > 0) hashes.push_back(99);                   // in all: of no harm
  }

 private:
  std::int64_t size_;
  std::int64_t negatives_;
};

std::string said(const std::function<void()>& action) {
  ::testing::internal::CaptureStderr();
  action();
  return ::testing::internal::GetCapturedStderr();
}

struct Warmup {
  std::int64_t steps;
  std::string said;
};

Warmup warmup(std::optional<std::int64_t> wanted, std::int64_t total, const RunFacts& recorded = {}) {
  TrainOptions options;
  options.warmup_steps = wanted;
  std::string text = said([&] { settle_warmup(options, total, recorded, this_process_alone()); });
  return {*options.warmup_steps, std::move(text)};
}

TEST(RunChecks, TheWarmupSuitsTheRun) {
  EXPECT_EQ(warmup({}, 156000).steps, 1000);
  EXPECT_EQ(warmup({}, 156000).said, "");
  EXPECT_EQ(warmup({}, 5000).steps, 500);
  EXPECT_EQ(warmup({}, 10).said, "warm-up: 1 of 10 steps, as --warmup_steps does not say otherwise\n");
  EXPECT_EQ(warmup({}, 10, {{"--warmup_steps", "1000"}}).steps, 1000);  // as the run began
  EXPECT_EQ(warmup(7, 100).steps, 7);
  EXPECT_EQ(warmup(7, 100).said, "");
  EXPECT_THAT(warmup(1000, 10).said, HasSubstr("the warm-up is longer than the run: --warmup_steps is 1000"));
}

void check(std::int64_t batch_size, std::int64_t examples, std::int64_t negatives, bool no_duplicates = false) {
  TrainOptions options;
  options.train_data = "d.jsonl";
  options.batch_size = batch_size;
  options.no_duplicates = no_duplicates;
  const Numbers data(examples, negatives);
  BatchOrder order(examples, {.batch_size = batch_size,
                              .texts = [&](std::int64_t example, std::int64_t visit,
                                           std::vector<std::uint64_t>& hashes) { data.texts(example, visit, hashes); },
                              .no_duplicates = no_duplicates});
  check_batches(options, data, order, this_process_alone());
}

TEST(RunChecks, BatchesThatTeachNothingAreRefusedOrTold) {
  EXPECT_THROW(check(1, 10, 0), UserError);
  EXPECT_THROW(check(64, 1, 0), UserError);
  EXPECT_EQ(said([] { check(1, 10, 1); }), "");
  EXPECT_THAT(said([] { check(3, 10, 0); }), HasSubstr("warning: 1 of 4 batches"));
  EXPECT_THAT(said([] { check(64, 3, 1); }), HasSubstr("--train_batch_size is 64, but there are 3 examples"));
}

TEST(RunChecks, TextsThatStandTwiceAreTold) {
  EXPECT_THAT(said([] { check(10, 10, 1); }),
              HasSubstr("of the first 10 examples 10 have their query or positive twice"));
  EXPECT_EQ(said([] { check(4, 8, 0, true); }), "");
  EXPECT_THAT(said([] { check(10, 10, 0, true); }), HasSubstr("--no_duplicates: 5 of 10 examples"));
}

}  // namespace
}  // namespace sgpt
