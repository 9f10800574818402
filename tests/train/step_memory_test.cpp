// The memory of steps, planned, the chunk size that is chosen by it, and what is refused.
#include "train/step_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/free_memory.h"
#include "model/model_folder.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"
#include "train/trainer.h"
#include "train/training_plan.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class StepMemoryTest : public ::testing::Test {
 protected:
  StepMemoryTest()
      : folder_(testing::write_tiny_model(temp_ / "model", {.hidden = 64, .layers = 3})),
        backend_(make_backend("cpu")),
        checkpoint_(Checkpoint::open(folder_)),
        model_(*backend_, checkpoint_, read_model_folder(folder_).config, trained_parameters({.non_bias = true})) {}

  /// Three columns of `rows` texts with 10 to 40 tokens.
  static TrainingBatch batch(std::int64_t rows) {
    TrainingBatch result;
    for (std::size_t column = 0; column < 3; ++column) {
      TokenBatch& texts = result.columns.emplace_back();
      for (std::int64_t row = 0; row < rows; ++row) {
        texts.add(std::vector<std::int32_t>(10 + static_cast<std::size_t>(row * 7) % 31, 5));
      }
    }
    return result;
  }

  testing::TempFolder temp_;
  std::filesystem::path folder_;
  std::unique_ptr<Backend> backend_;
  Checkpoint checkpoint_;
  Decoder model_;
};

TEST_F(StepMemoryTest, IsThatOfTheLargestChunk) {
  const StepMemory whole = plan_step(model_, batch(16), 0, 0);
  EXPECT_EQ(whole.computed_again, 0);
  EXPECT_EQ(whole.kept, model_.kept_bytes(batch(16).tokens(), Keep::activations));
  const StepMemory least = plan_step(model_, batch(16), 4, 0);
  EXPECT_GT(least.computed_again, 1.6);
  EXPECT_LT(least.kept, whole.kept / 10);
  EXPECT_LT(least.working, whole.working);
  EXPECT_EQ(plan_step(model_, batch(16), 4, whole.kept).computed_again, 0);
}

TEST_F(StepMemoryTest, IsWhatWasPlannedBeforeTheModelWasLoaded) {
  TrainingBatch full;
  for (int column = 0; column < 3; ++column) {
    TokenBatch& texts = full.columns.emplace_back();
    for (int row = 0; row < 10; ++row) texts.add(std::vector<std::int32_t>(30, 5));
  }
  for (const std::uint64_t memory : {std::uint64_t{0}, std::uint64_t{1} << 21, std::uint64_t{1} << 40}) {
    const TrainingPlan plan = plan_training(
        *backend_, model_.config(), DType::f32,
        {.batch = 10, .chunk_size = 4, .max_seq_length = 30, .activation_memory = memory, .biases_alone = true});
    const StepMemory step = plan_step(model_, full, 4, memory);
    EXPECT_EQ(plan.kept, step.kept);
    EXPECT_EQ(plan.working, step.working);
    EXPECT_DOUBLE_EQ(plan.computed_again, step.computed_again);
  }
}

TEST_F(StepMemoryTest, WithEnoughMemoryTheWholeBatchIsAChunk) {
  const TrainingBatch batches[] = {batch(24)};
  EXPECT_EQ(choose_chunk_size(model_, batches, std::size_t{1} << 40), 24);
}

TEST_F(StepMemoryTest, WithLittleMemoryChunksAreSmaller) {
  const TrainingBatch batches[] = {batch(64), batch(64)};
  const std::uint64_t all = plan_step(model_, batches[0], 0, 0).kept;
  const std::int64_t half = choose_chunk_size(model_, batches, all / 2);
  EXPECT_LT(half, 64);
  EXPECT_GE(half, 1);
  // What is chosen is no worse than the whole batch in one chunk.
  EXPECT_LE(plan_step(model_, batches[0], half, all / 2).computed_again,
            plan_step(model_, batches[0], 64, all / 2).computed_again);
}

TEST_F(StepMemoryTest, BatchesWithoutTextsAreLegal) {
  TrainingBatch empty;
  empty.columns.resize(3);
  const TrainingBatch batches[] = {empty};
  EXPECT_EQ(choose_chunk_size(model_, batches, 0), 1);
  EXPECT_EQ(choose_chunk_size(model_, {}, 0), 1);
}

TEST_F(StepMemoryTest, AStepThatCannotFitIsRefusedWithWhatWould) {
  const TrainingBatch batches[] = {batch(16)};
  TrainOptions options;
  options.batch_size = 16;
  EXPECT_NO_THROW(settle_memory(options, model_, {{}, batches}, 0, this_process_alone()));
  // Texts enough that their activations are beyond any machine, but not a chunk's.
  options.batch_size = 1 << 20;
  options.grad_cache = false;
  TrainingBatch huge;
  huge.columns.resize(2);
  for (TokenBatch& column : huge.columns) {
    for (std::int32_t row = 0; row <= options.batch_size; ++row) column.offsets.push_back(row * 1000);
    column.offsets.erase(column.offsets.begin());
  }
  EXPECT_THAT(
      [&] {
        settle_memory(options, model_, {{}, std::span(&huge, 1)}, 0, this_process_alone());
      },
      ThrowsMessage<MachineError>(AllOf(HasSubstr("a training step with batches of 1048576 takes about"),
                                        HasSubstr("--gradcache --chunksize"))));
}

TEST_F(StepMemoryTest, WhatTheOptionsLeaveOpenIsSettled) {
  const TrainingBatch batches[] = {batch(16)};
  TrainOptions options;
  options.grad_cache = true;
  options.chunk_size = 0;
  settle_memory(options, model_, {{}, batches}, 0, this_process_alone());
  EXPECT_EQ(options.chunk_size, 16);
  EXPECT_GT(*options.activation_memory, std::size_t{1} << 20);
  options.chunk_size = 0;
  settle_memory(options, model_, {{}, batches}, 5, this_process_alone());
  EXPECT_EQ(options.chunk_size, 5);  // as the run began
  settle_memory(options, model_, {{}, batches}, 7, this_process_alone());
  EXPECT_EQ(options.chunk_size, 5);  // as it was asked for
}

TEST(RequireMemory, SaysWhatIsNeededWhatIsFreeAndWhatToDo) {
  EXPECT_NO_THROW(require_memory("it", 1 << 20, "advice"));
  EXPECT_THAT([] { require_memory("it", std::uint64_t{1} << 50, "take less"); },
              ThrowsMessage<MachineError>(AllOf(HasSubstr("it takes about 1125899.9 GB of memory, but only "),
                                                HasSubstr("GB are free; take less"))));
  EXPECT_THAT([] { require_memory("it", free_memory(), "", 4); },
              ThrowsMessage<MachineError>(HasSubstr("for each process")));
}

TEST(FreeMemory, IsSomeAndLessThanAnyMachineHas) {
  EXPECT_GT(free_memory(), std::uint64_t{1} << 20);
  EXPECT_LT(free_memory(), std::uint64_t{1} << 50);
}

}  // namespace
}  // namespace sgpt
