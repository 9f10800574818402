// What is recorded of a run: TensorBoard's event files, the history in the run's folder, and distributions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "temp_folder.h"
#include "tiny_model.h"
#include "train/watch/event_file.h"
#include "train/watch/run_history.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) files.push_back(entry.path());
  }
  return files;
}

/// The data of all frames; empty when a length or a checksum is wrong.
std::vector<std::string> frames(const std::string& file) {
  const auto good = [](const std::string& data, const char* stored) {
    std::uint32_t sum = 0;
    std::memcpy(&sum, stored, sizeof sum);
    const std::uint32_t crc = crc32c(data);
    return sum == (crc >> 15 | crc << 17) + 0xa282ead8u;
  };
  std::vector<std::string> all;
  for (std::size_t at = 0; at < file.size();) {
    if (at + 12 > file.size()) return {};
    std::uint64_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof length);
    if (at + 16 + length > file.size() || !good(file.substr(at, 8), file.data() + at + 8)) return {};
    all.push_back(file.substr(at + 12, length));
    if (!good(all.back(), file.data() + at + 12 + length)) return {};
    at += 16 + length;
  }
  return all;
}

TEST(Crc32c, HasTheValuesOfItsStandard) {  // RFC 3720, B.4
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Histogram, CountsEveryFiniteValueOnce) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{-2, -1e-3f, 0, 0, 1e-3f, 0.5f, 3, nan, 1e30f};
  const Histogram histogram = make_histogram(values);
  EXPECT_EQ(histogram.count, 8);
  EXPECT_EQ(histogram.min, -2);
  EXPECT_EQ(histogram.max, 1e30f);
  ASSERT_EQ(histogram.limits.size(), histogram.counts.size());
  EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::int64_t{0}), 8);
  EXPECT_EQ(std::accumulate(histogram.bins.begin(), histogram.bins.end(), std::int64_t{0}), 8);
  for (std::size_t i = 0; i < histogram.limits.size(); ++i) {  // each bucket holds what lies between its limits
    const double low = i == 0 ? -std::numeric_limits<double>::infinity() : histogram.limits[i - 1];
    const auto inside =
        std::count_if(values.begin(), values.end(), [&](float v) { return v >= low && v < histogram.limits[i]; });
    EXPECT_EQ(histogram.counts[i], inside) << i;
  }
}

TEST(Histogram, OfNothingAndOfOneValue) {
  EXPECT_EQ(make_histogram({}).count, 0);
  EXPECT_TRUE(make_histogram({}).limits.empty());
  const std::vector<float> same(5, 0.25f);
  EXPECT_EQ(make_histogram(same).bins[0], 5);
  EXPECT_EQ(make_histogram(same).counts.back(), 5);
}

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() {
    options_.model = testing::write_tiny_model(temp_.path() / "model", {});
    std::string lines;
    for (const char* word : {"red", "green", "blue", "cyan"}) {
      lines += fmt::format("{{\"query\": \"what is {0}\", \"positive\": \"the colour {0}\"}}\n", word);
    }
    options_.train_data = temp_.write("data.jsonl", lines);
    options_.output = temp_ / "trained";
    options_.run_folder = temp_ / "trained.run";
    options_.command = "sgpt train --it 'now'";
    options_.pooling = PoolingMode::weightedmean;
    options_.freeze_non_bias = true;
    options_.batch_size = 2;
    options_.epochs = 51;  // of 2 steps: distributions at the steps 0 and 100
    options_.warmup_steps = 2;
    options_.on_step = [this](const TrainStep& step) { steps_.push_back(step); };
  }

  testing::TempFolder temp_;
  TrainOptions options_;
  std::vector<TrainStep> steps_;
};

TEST_F(WatchTest, TheRecordHoldsEveryStepAndTheDistributions) {
  options_.watch_log = WatchLog::all;
  train(options_);
  const RunRecord record = read_run(options_.run_folder);
  EXPECT_EQ(record.command, options_.command);
  ASSERT_EQ(record.steps.size(), 102u);
  for (std::size_t i = 0; i < record.steps.size(); ++i) {
    EXPECT_EQ(record.steps[i].step, steps_[i].step);
    EXPECT_EQ(record.steps[i].loss, steps_[i].loss);
    EXPECT_EQ(record.steps[i].gradient_norm, steps_[i].gradient_norm);
    EXPECT_EQ(record.steps[i].learning_rate, steps_[i].learning_rate);
  }
  ASSERT_FALSE(record.histograms.empty());
  double sum_of_squares = 0;
  for (const auto& [name, histograms] : record.histograms) {
    EXPECT_TRUE(name.starts_with("gradients/") || name.starts_with("parameters/")) << name;
    EXPECT_TRUE(name.ends_with("bias")) << name;
    ASSERT_EQ(histograms.size(), 2u) << name;
    EXPECT_EQ(histograms[0].step, 0);
    EXPECT_EQ(histograms[1].step, 100);
    EXPECT_LE(histograms[1].min, histograms[1].max);
    sum_of_squares += histograms[1].max * histograms[1].max;
  }
  EXPECT_GT(sum_of_squares, 0);
}

TEST_F(WatchTest, DistributionsOfGradientsAlone) {
  options_.watch_log = WatchLog::gradients;
  options_.epochs = 1;
  train(options_);
  for (const auto& [name, histograms] : read_run(options_.run_folder).histograms) {
    EXPECT_TRUE(name.starts_with("gradients/")) << name;
    EXPECT_EQ(histograms.size(), 1u);
  }
}

TEST_F(WatchTest, EventFilesHaveSoundFrames) {
  options_.watch_log = WatchLog::all;
  train(options_);
  const auto files = event_files(options_.run_folder);
  ASSERT_EQ(files.size(), 1u);
  const auto events = frames(content(files[0]));
  ASSERT_EQ(events.size(), 2u + 102u + 2u);  // version, start, steps, distributions
  EXPECT_THAT(events[0], HasSubstr("brain.Event:2"));
  EXPECT_THAT(events[2], HasSubstr("train/loss"));
  EXPECT_THAT(events[3], HasSubstr("gradients/"));
}

TEST_F(WatchTest, TheRealTensorBoardReadsThem) {
  if (std::system("python3 -c 'import tensorboard' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "Python's tensorboard package is not installed here";
  }
  options_.watch_log = WatchLog::all;
  train(options_);
  const fs::path script = temp_.write("read.py", R"(
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0})
events.Reload()
tags = events.Tags()
print(json.dumps({
    "scalars": {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]},
    "histograms": {tag: [[e.step, e.histogram_value.num, sum(e.histogram_value.bucket)]
                         for e in events.Histograms(tag)] for tag in tags["histograms"]}}))
)");
  const fs::path out = temp_ / "read.json";
  ASSERT_EQ(std::system(fmt::format("python3 {} {} > {} 2>/dev/null", script.string(), options_.run_folder.string(),
                                    out.string())
                            .c_str()),
            0);
  const auto read = nlohmann::json::parse(content(out));
  const auto& loss = read["scalars"]["train/loss"];
  ASSERT_EQ(loss.size(), steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    EXPECT_EQ(loss[i][0], steps_[i].step);
    EXPECT_EQ(loss[i][1].get<float>(), static_cast<float>(steps_[i].loss));
    EXPECT_EQ(read["scalars"]["train/learning_rate"][i][1].get<float>(), static_cast<float>(steps_[i].learning_rate));
  }
  const RunRecord record = read_run(options_.run_folder);
  EXPECT_EQ(read["histograms"].size(), record.histograms.size());
  for (const auto& [name, events] : read["histograms"].items()) {
    ASSERT_EQ(events.size(), 2u) << name;
    EXPECT_EQ(events[1][0], 100);
    EXPECT_EQ(events[1][1], events[1][2]) << name;
    EXPECT_TRUE(record.histograms.contains(name)) << name;
  }
}

TEST_F(WatchTest, AResumedRunKeepsTheStepsBeforeAndReplacesTheRest) {
  options_.epochs = 3;
  train(options_);
  const auto before = read_run(options_.run_folder).steps;
  {
    std::ofstream broken(RunFolder{options_.run_folder}.steps(), std::ios::app);
    broken << "{\"step\": 6, \"lo";  // as a killed run leaves it
  }
  EXPECT_EQ(read_run(options_.run_folder).steps.size(), 6u);
  RunHistory history(options_.run_folder);
  history.on_start({.options = options_, .first_step = 4, .total_steps = 6});
  history.on_step({.step = 4, .loss = 0.5});
  const auto after = read_run(options_.run_folder).steps;
  ASSERT_EQ(after.size(), 5u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(after[i].loss, before[i].loss);
  EXPECT_EQ(after[4].loss, 0.5);
}

TEST_F(WatchTest, BrokenLinesAreLeftOut) {
  options_.epochs = 2;
  train(options_);
  const auto before = read_run(options_.run_folder).steps;
  const fs::path steps = RunFolder{options_.run_folder}.steps();
  std::string text = content(steps);
  text.insert(text.find('\n') + 1, "{\"step\": 0, \"lo\n");
  std::ofstream(steps) << text;
  EXPECT_EQ(read_run(options_.run_folder).steps.size(), before.size());
  RunHistory history(options_.run_folder);
  history.on_start({.options = options_, .first_step = 3, .total_steps = 4});
  EXPECT_EQ(read_run(options_.run_folder).steps.size(), 3u);
}

TEST_F(WatchTest, WhatCannotBeWrittenIsLeftOutAndTheRunGoesOn) {
  options_.epochs = 2;
  train(options_);
  const std::string expected = content(options_.output / "model.safetensors");
  fs::remove_all(options_.output);
  fs::remove_all(fs::path(options_.output) += ".checkpoints");

  options_.log_file = "/dev/full";
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(train(options_).finished);
  const std::string said = ::testing::internal::GetCapturedStderr();
  const auto first = said.find("warning: /dev/full");
  EXPECT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("warning", first + 1), std::string::npos) << said;  // it is said once
  EXPECT_EQ(content(options_.output / "model.safetensors"), expected);
  EXPECT_EQ(read_run(options_.run_folder).steps.size(), 4u);  // the others go on
}

TEST_F(WatchTest, APipeThatNobodyReadsAnyMoreEndsNoRun) {
  options_.epochs = 2;
  const fs::path pipe = temp_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  options_.log_file = pipe;
  std::string first;
  std::thread reader([&] {
    std::ifstream in(pipe);
    std::getline(in, first);
  });
  EXPECT_TRUE(train(options_).finished);
  reader.join();
  EXPECT_TRUE(first.starts_with("{\"step\": 0,"));
}

TEST_F(WatchTest, ALogIsWrittenByOneRun) {
  options_.epochs = 1;
  options_.log_file = temp_ / "log.jsonl";
  const StepLines held(options_.log_file, 0);
  EXPECT_THROW(train(options_), UserError);
}

TEST_F(WatchTest, NothingIsRecordedUnlessAsked) {
  options_.epochs = 1;
  options_.run_folder.clear();
  options_.watch_log = WatchLog::all;
  train(options_);
  EXPECT_FALSE(fs::exists(temp_ / "trained.run"));
}

TEST_F(WatchTest, AFolderThatCannotBeMadeIsToldBeforeTraining) {
  options_.run_folder = temp_.write("file", "") / "run";
  EXPECT_THROW(train(options_), UserError);
  EXPECT_TRUE(steps_.empty());
}

TEST_F(WatchTest, ABrokenRecordIsNamedWithItsLine) {
  options_.epochs = 1;
  train(options_);
  const RunFolder folder{options_.run_folder};
  const auto message = [&] {
    try {
      read_run(folder.path);
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto warning = [&] {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(message(), "no error");  // the rest is worth showing
    return ::testing::internal::GetCapturedStderr();
  };
  std::ofstream(folder.steps(), std::ios::app) << "{\"step\": 1}\n";
  EXPECT_THAT(warning(), HasSubstr("history.jsonl:3: the line is broken"));
  std::ofstream(folder.steps(), std::ios::trunc) << "[]\n";
  EXPECT_THAT(warning(), HasSubstr("history.jsonl:1: the line is broken"));
  std::ofstream(folder.run(), std::ios::trunc) << "3";
  EXPECT_THAT(message(), HasSubstr("run.json"));
  fs::remove(folder.run());
  EXPECT_THAT(message(), HasSubstr("no training run"));
}

}  // namespace
}  // namespace sgpt
