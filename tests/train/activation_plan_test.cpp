// What GradCache keeps in a memory: never more than fits, and the less is computed again the more there is.
#include "train/activation_plan.h"

#include <gtest/gtest.h>

#include <vector>

namespace sgpt {
namespace {

constexpr double kLayerAgain = 2.0 / 3;

TEST(ActivationPlan, KeepsEverythingWhereItFits) {
  const std::vector<ChunkBytes> chunks(4, {.inputs = 10, .activations = 90});
  const ActivationPlan plan = plan_activations(chunks, 360, kLayerAgain);
  EXPECT_EQ(plan.count(Kept::activations), 4);
  EXPECT_EQ(plan.computed_again, 0);
  EXPECT_EQ(plan.bytes, 360u);
}

TEST(ActivationPlan, KeepsTheInputsOfAllBeforeTheActivationsOfSome) {
  const std::vector<ChunkBytes> chunks(4, {.inputs = 10, .activations = 90});
  const ActivationPlan plan = plan_activations(chunks, 359, kLayerAgain);
  EXPECT_EQ(plan.count(Kept::activations), 3);
  EXPECT_EQ(plan.count(Kept::inputs), 1);
  EXPECT_NEAR(plan.computed_again, 2.0 / 3 / 4, 1e-12);
  EXPECT_EQ(plan_activations(chunks, 40, kLayerAgain).count(Kept::inputs), 4);
}

TEST(ActivationPlan, MakesRoomForASecondPass) {
  const std::vector<ChunkBytes> chunks(100, {.inputs = 10, .activations = 90});
  // 900 of 1000: room for one chunk's activations, and the inputs of 81.
  const ActivationPlan plan = plan_activations(chunks, 900, kLayerAgain);
  EXPECT_EQ(plan.again, Keep::activations);
  EXPECT_EQ(plan.count(Kept::inputs), 81);
  EXPECT_EQ(plan.count(Kept::nothing), 19);
  EXPECT_LE(plan.bytes, 900u);
}

TEST(ActivationPlan, WithoutRoomForOneChunkItsLayersAreComputedAgain) {
  const std::vector<ChunkBytes> chunks(3, {.inputs = 10, .activations = 90});
  const ActivationPlan plan = plan_activations(chunks, 0, kLayerAgain);
  EXPECT_EQ(plan.again, Keep::inputs);
  EXPECT_EQ(plan.count(Kept::nothing), 3);
  EXPECT_EQ(plan.bytes, 10u);
  EXPECT_NEAR(plan.computed_again, 5.0 / 3, 1e-12);
  EXPECT_EQ(plan_activations(chunks, 20, kLayerAgain).count(Kept::inputs), 1);
}

TEST(ActivationPlan, MoreMemoryNeverMeansMoreWork) {
  const std::vector<ChunkBytes> chunks{{4, 36}, {12, 108}, {7, 63}, {1, 9}, {9, 81}, {30, 270}, {2, 18}};
  double again = 2;
  for (std::size_t memory = 0; memory < 600; ++memory) {
    const ActivationPlan plan = plan_activations(chunks, memory, kLayerAgain);
    EXPECT_LE(plan.bytes, std::max<std::size_t>(memory, 30)) << memory;
    EXPECT_LE(plan.computed_again, again + 0.02) << memory;  // in order, not the best of all subsets
    again = plan.computed_again;
  }
  EXPECT_EQ(again, 0);
}

TEST(ActivationPlan, NoChunksAreNoWork) {
  const ActivationPlan plan = plan_activations({}, 0, kLayerAgain);
  EXPECT_EQ(plan.computed_again, 0);
  EXPECT_EQ(plan.bytes, 0u);
}

}  // namespace
}  // namespace sgpt
