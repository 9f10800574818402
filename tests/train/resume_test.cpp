// Checkpoints and resuming: a run that was broken off anywhere ends with the bits of one that never was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <stdexcept>

#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "environment.h"
#include "model/convert.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "temp_folder.h"
#include "tiny_model.h"
#include "train/run_checkpoints.h"
#include "train/run_facts.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

class ResumeTest : public ::testing::Test {
 protected:
  ResumeTest() {
    options_.model = testing::write_tiny_model(temp_ / "model");
    write_data("thing");
    options_.output = temp_ / "trained";
    options_.pooling = PoolingMode::weightedmean;
    options_.brackets = true;
    options_.freeze_non_bias = true;
    options_.max_seq_length = 32;
    options_.batch_size = 3;
    options_.epochs = 4;  // of three steps
    options_.warmup_steps = 2;
    options_.learning_rate = 1e-2;
    options_.backend = "reference";
    options_.log_file = temp_ / "log.jsonl";
  }

  void write_data(const std::string& negative) {
    std::string lines;
    for (const char* word : {"red", "green", "blue", "cyan", "black", "white", "grey"}) {
      lines += std::string(R"({"query": "what is )") + word + R"(", "positive": ["the colour )" + word +
               R"(", "a paint"], "negative": ["a )" + negative + R"(", "night"]})" + "\n";
    }
    options_.train_data = temp_.write("data.jsonl", lines);
  }

  fs::path checkpoints() const { return temp_ / "trained.checkpoints"; }
  fs::path checkpoint(int step) const { return checkpoints() / ("step-" + std::to_string(step)); }

  /// The model and the log of the same command, never broken off, under another name.
  std::string unbroken() {
    TrainOptions whole = options_;
    whole.output = temp_ / "whole";
    whole.log_file = temp_ / "whole.jsonl";
    whole.checkpoints = false;
    whole.stop = nullptr;
    whole.on_step = nullptr;
    fs::remove_all(whole.output);
    train(whole);
    return content(whole.output / "model.safetensors");
  }

  /// Ends as if the machine had failed after so many steps, before a checkpoint of the last one could be written.
  void run_until_killed(int steps) {
    TrainOptions killed = options_;
    killed.on_step = [&](const TrainStep& step) {
      if (step.step + 1 == steps) throw Killed();
    };
    EXPECT_THROW(train(killed), Killed);
  }

  void run_until_stopped(int steps) {
    TrainOptions stopped = options_;
    int asked = 0;  // before the first step, and after each
    stopped.stop = [&] { return asked++ == steps; };
    const TrainResult result = train(stopped);
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.steps - result.resumed_at, steps);
    EXPECT_FALSE(fs::exists(options_.output));
  }

  TrainResult resume() {
    options_.resume = true;
    return train(options_);
  }

  void start_anew() {
    options_.resume = false;
    fs::remove_all(options_.output);
    fs::remove_all(checkpoints());
  }

  /// Takes a fact out of a checkpoint's record, as if it had been written by a program that did not know it.
  void forget(const fs::path& folder, const std::string& fact) {
    auto state = nlohmann::ordered_json::parse(content(folder / "state.json"));
    ASSERT_EQ(state["run"].erase(fact), 1u);
    state.erase("checksum");
    const std::string text = state.dump();
    state["checksum"] = fingerprint_text(XXH3_64bits(text.data(), text.size()));
    std::ofstream(folder / "state.json") << state.dump();
  }

  std::string message_of_resume() {
    try {
      resume();
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(checkpoints())) found.insert(entry.path().filename().string());
    return found;
  }

  testing::TempFolder temp_;
  TrainOptions options_;
};

TEST_F(ResumeTest, AKilledRunEndsWithTheSameBitsWhereverItWasKilled) {
  for (const bool bitfit : {true, false}) {
    options_.freeze_non_bias = bitfit;
    options_.backend = bitfit ? "reference" : "cpu";
    options_.grad_cache = !bitfit;
    options_.chunk_size = 2;
    const std::string expected = unbroken();
    for (const int steps : {1, 3, 4, 8, 12}) {
      start_anew();
      options_.checkpoint_save_steps = steps % 2 == 0 ? 2 : 0;
      run_until_killed(steps);
      const TrainResult result = resume();
      const int last_epoch = (steps - 1) / 3 * 3;
      const int last_saved = options_.checkpoint_save_steps ? std::max(last_epoch, (steps - 1) / 2 * 2) : last_epoch;
      EXPECT_EQ(result.resumed_at, last_saved) << "killed at " << steps;
      EXPECT_EQ(result.steps, 12);
      EXPECT_EQ(content(options_.output / "model.safetensors"), expected) << "killed at " << steps;
    }
  }
}

TEST_F(ResumeTest, AStoppedRunLosesNothing) {
  const std::string expected = unbroken();
  run_until_stopped(2);
  options_.resume = true;
  run_until_stopped(3);
  EXPECT_EQ(names(), (std::set<std::string>{"step-2", "step-3", "step-5"}));
  EXPECT_EQ(resume().resumed_at, 5);
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
}

TEST_F(ResumeTest, TheLogIsThatOfOneRun) {
  unbroken();
  run_until_killed(5);
  std::ofstream(options_.log_file, std::ios::app) << R"({"step": 5, "lo)";
  resume();
  std::ifstream log(options_.log_file);
  std::ifstream whole(temp_ / "whole.jsonl");
  for (int step = 0; step < 12; ++step) {
    std::string line;
    std::string expected;
    ASSERT_TRUE(std::getline(log, line) && std::getline(whole, expected));
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["step"], step);
    EXPECT_EQ(json["loss"], nlohmann::json::parse(expected)["loss"]);
  }
  std::string more;
  EXPECT_FALSE(std::getline(log, more));
}

TEST_F(ResumeTest, ARunKilledWhileItSavedTheModelOnlySavesIt) {
  const std::string expected = unbroken();
  train(options_);
  fs::remove_all(options_.output);
  options_.on_step = [](const TrainStep&) { FAIL() << "a step was made again"; };
  EXPECT_EQ(resume().resumed_at, 12);
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
}

TEST_F(ResumeTest, WithoutACheckpointItBeginsAtTheBeginning) { EXPECT_EQ(resume().resumed_at, 0); }

TEST_F(ResumeTest, HoldsWhatWasTrainedAndSaysWhereItStands) {
  options_.checkpoint_save_steps = 2;
  run_until_stopped(4);
  EXPECT_EQ(names(), (std::set<std::string>{"step-2", "step-3", "step-4"}));
  const auto state = nlohmann::json::parse(content(checkpoint(4) / "state.json"));
  EXPECT_EQ(state["step"], 4);
  EXPECT_EQ(state["epoch"], 1);
  EXPECT_EQ(state["step_in_epoch"], 1);
  EXPECT_EQ(state["base_model"], options_.model.string());
  EXPECT_EQ(state["run"]["--train_batch_size"], "3");
  const auto model_bytes = fs::file_size(options_.model / "model.safetensors");
  EXPECT_LT(fs::file_size(checkpoint(4) / "trained.safetensors"), model_bytes / 5);  // the biases alone
  EXPECT_GT(fs::file_size(checkpoint(4) / "trained.safetensors"), 1000u);
}

TEST_F(ResumeTest, KeepsAsManyAsAskedFor) {
  options_.checkpoint_save_total_limit = 2;
  train(options_);
  EXPECT_EQ(names(), (std::set<std::string>{"step-9", "step-12"}));
}

TEST_F(ResumeTest, NoneWhenNoneAreAskedFor) {
  options_.checkpoints = false;
  train(options_);
  EXPECT_FALSE(fs::exists(checkpoints()));
}

TEST_F(ResumeTest, BrokenCheckpointsArePassedOverForTheNextOlder) {
  const std::string expected = unbroken();
  const auto cut = [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); };
  const auto flip = [](const fs::path& file) {
    std::string bytes = content(file);
    bytes[bytes.size() - 100] ^= 1;
    std::ofstream(file, std::ios::binary) << bytes;
  };
  const std::function<void()> harms[] = {[&] { cut(checkpoint(9) / "state.json"); },
                                         [&] { cut(checkpoint(9) / "trained.safetensors"); },
                                         [&] { cut(checkpoint(9) / "moments.safetensors"); },
                                         [&] { flip(checkpoint(9) / "state.json"); },
                                         [&] { flip(checkpoint(9) / "moments.safetensors"); },
                                         [&] { fs::remove(checkpoint(9) / "trained.safetensors"); },
                                         [&] { std::ofstream(checkpoint(9) / "state.json") << "[]"; },
                                         [&] { std::ofstream(checkpoint(9) / "state.json") << R"({"checksum": 1})"; }};
  for (const auto& harm : harms) {
    start_anew();
    run_until_killed(10);
    harm();
    EXPECT_EQ(resume().resumed_at, 6);
    EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
    EXPECT_NO_THROW(RunCheckpoint::read(checkpoint(9)));  // written again
  }
}

TEST_F(ResumeTest, LeftoversOfAKilledSaveAreCleared) {
  run_until_killed(5);
  fs::create_directories(checkpoints() / "step-4.partial-1234");
  std::ofstream(checkpoints() / "step-4.partial-1234" / "trained.safetensors") << "half";
  EXPECT_EQ(resume().resumed_at, 3);
  EXPECT_EQ(names(), (std::set<std::string>{"step-3", "step-6", "step-9", "step-12"}));
}

TEST_F(ResumeTest, AnotherRunsCheckpointIsRefusedByWhatDiffers) {
  run_until_killed(5);
  const auto expect = [&](const std::function<void(TrainOptions&)>& change, const char* name) {
    const TrainOptions before = options_;
    change(options_);
    EXPECT_THAT(message_of_resume(), HasSubstr(name));
    options_ = before;
  };
  expect([](TrainOptions& o) { o.learning_rate = 2e-2; }, "--lr is 0.01 in the checkpoint, but 0.02 now");
  expect([](TrainOptions& o) { o.batch_size = 4; }, "--train_batch_size");
  expect([](TrainOptions& o) { o.seed = 1; }, "--seed");
  expect([](TrainOptions& o) { o.epochs = 5; }, "--epochs");
  expect([](TrainOptions& o) { o.freeze_non_bias = false; }, "--freezenonbias");
  expect([](TrainOptions& o) { o.scheduler = "constantlr"; }, "--scheduler");
  expect([&](TrainOptions& o) { o.model = testing::write_tiny_model(temp_ / "other", {.seed = 2}); },
         "the base model's checksum");
  write_data("something else");
  EXPECT_THAT(message_of_resume(), HasSubstr("the training data's checksum"));
  EXPECT_FALSE(fs::exists(options_.output));
}

TEST_F(ResumeTest, ACheckpointThatNamesNoTypeIsOfARunInF32) {
  const std::string expected = unbroken();
  run_until_killed(5);
  forget(checkpoint(3), "--dtype");
  EXPECT_EQ(resume().resumed_at, 3);
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
}

TEST_F(ResumeTest, ACheckpointThatLacksAnotherFactIsRefused) {
  run_until_killed(5);
  forget(checkpoint(3), "--scale");
  EXPECT_THAT(message_of_resume(), HasSubstr("--scale is unknown in the checkpoint, but 20 now"));
}

TEST_F(ResumeTest, OptionsThatChangeNoBitMayChange) {
  options_.grad_cache = true;
  options_.backend = "cpu";
  const std::string expected = unbroken();
  run_until_killed(5);
  options_.activation_memory = 0;
  options_.threads = 1;
  options_.checkpoint_save_steps = 1;
  EXPECT_EQ(resume().resumed_at, 3);
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
}

TEST_F(ResumeTest, AutoTakesTheChunkSizeThatTheRunBeganWith) {
  options_.grad_cache = true;
  options_.backend = "cpu";
  options_.chunk_size = 2;
  const std::string expected = unbroken();
  run_until_killed(5);
  options_.chunk_size = 0;
  EXPECT_EQ(resume().resumed_at, 3);
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
}

TEST_F(ResumeTest, CheckpointsOfAnEarlierRunAreNotOverwritten) {
  run_until_killed(5);
  try {
    train(options_);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--resume"));
  }
}

/// Timing may turn out otherwise at every start.
TEST_F(ResumeTest, TheTypeThatAutomaticStoodForStays) {
  const fs::path halves = temp_ / "halves";
  convert_model(options_.model, halves, {.type = WeightType::bf16});
  options_.model = halves;
  options_.backend = "cpu";
  options_.compute = ComputeType::automatic;
  const bool has_bf16 = make_backend("cpu")->computes(ComputeType::bf16);
  for (const bool fast_first : {true, false}) {
    start_anew();
    fs::remove_all(temp_ / "whole");
    const auto timed = [](bool fast) {
      return std::make_unique<testing::EnvironmentVariable>("SGPT_CPU_BF16_GAIN", fast ? "1.8" : "0.6");
    };
    std::string expected;
    {
      const auto measured = timed(fast_first);
      expected = unbroken();
      run_until_stopped(5);
    }
    const auto measured = timed(!fast_first);
    const auto newest = RunCheckpoints(options_.output, {options_.model, options_.command, 0}).newest();
    ASSERT_TRUE(newest);
    EXPECT_EQ(*find_fact(newest->facts(), "--dtype"), fast_first && has_bf16 ? "bf16" : "f32");
    EXPECT_EQ(resume().resumed_at, 5);
    EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
  }
}

}  // namespace
}  // namespace sgpt
