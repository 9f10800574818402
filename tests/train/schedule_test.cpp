// Learning-rate factors against numbers of transformers 5 (get_*_schedule_with_warmup).
#include "train/schedule.h"

#include <gtest/gtest.h>

namespace sgpt {
namespace {

double factor(Schedule schedule, std::int64_t step) { return schedule_factor(schedule, step, 4, 20); }

TEST(Schedule, ConstantIsOneFromTheFirstStep) {
  EXPECT_EQ(factor(Schedule::constant, 0), 1.0);
  EXPECT_EQ(factor(Schedule::constant, 19), 1.0);
}

TEST(Schedule, WarmupStartsAtZeroAndRisesLinearly) {
  for (const Schedule schedule : {Schedule::warmup_constant, Schedule::warmup_linear, Schedule::warmup_cosine,
                                  Schedule::warmup_cosine_with_hard_restarts}) {
    EXPECT_EQ(factor(schedule, 0), 0.0);
    EXPECT_DOUBLE_EQ(factor(schedule, 1), 0.25);
    EXPECT_DOUBLE_EQ(factor(schedule, 3), 0.75);
    EXPECT_DOUBLE_EQ(factor(schedule, 4), 1.0);
  }
}

TEST(Schedule, AfterTheWarmup) {
  EXPECT_EQ(factor(Schedule::warmup_constant, 19), 1.0);
  EXPECT_DOUBLE_EQ(factor(Schedule::warmup_linear, 12), 0.5);
  EXPECT_DOUBLE_EQ(factor(Schedule::warmup_linear, 19), 0.0625);
  EXPECT_NEAR(factor(Schedule::warmup_cosine, 8), 0.8535533905932737, 1e-15);
  EXPECT_NEAR(factor(Schedule::warmup_cosine, 12), 0.5, 1e-15);
  EXPECT_NEAR(factor(Schedule::warmup_cosine, 19), 0.00960735979838478, 1e-15);
  EXPECT_NEAR(factor(Schedule::warmup_cosine_with_hard_restarts, 19), 0.00960735979838478, 1e-15);
}

TEST(Schedule, ThereIsNothingLeftAtTheEnd) {
  EXPECT_EQ(factor(Schedule::warmup_linear, 20), 0.0);
  EXPECT_EQ(factor(Schedule::warmup_linear, 25), 0.0);
  EXPECT_NEAR(factor(Schedule::warmup_cosine, 20), 0.0, 1e-15);
  EXPECT_EQ(factor(Schedule::warmup_cosine_with_hard_restarts, 20), 0.0);
}

TEST(Schedule, WithoutWarmupTheFirstStepHasAll) { EXPECT_EQ(schedule_factor(Schedule::warmup_linear, 0, 0, 10), 1.0); }

TEST(Schedule, AWarmupLongerThanTheRunRisesAllTheTime) {
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::warmup_linear, 9, 1000, 10), 0.009);
}

TEST(Schedule, NamesAreThoseOfSentenceTransformersInAnyCase) {
  EXPECT_EQ(schedule_from("WarmupLinear"), Schedule::warmup_linear);
  EXPECT_EQ(schedule_from("constantlr"), Schedule::constant);
  EXPECT_EQ(schedule_from("WARMUPCOSINEWITHHARDRESTARTS"), Schedule::warmup_cosine_with_hard_restarts);
  EXPECT_FALSE(schedule_from("linear"));
  for (const auto name : schedule_names()) EXPECT_TRUE(schedule_from(name)) << name;
}

}  // namespace
}  // namespace sgpt
