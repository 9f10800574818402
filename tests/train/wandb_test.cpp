// A run in Weights & Biases: the protocol with helpers of the test's own (in sh), the Python helper with a client that
// writes down what it is told, and the real client in its offline mode, each where it is installed.
#include "train/watch/wandb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Takes everything down in the file $1, and behaves well.
constexpr const char* kGoodHelper = R"(
echo '{"imported": "1.0"}' >&0
read -r line; echo "$line" > "$1"
echo '{"ready": {"id": "abc123", "url": null}}' >&0
while read -r line; do echo "$line" >> "$1"; done
echo '{"finished": true}' >&0
)";

/// A package wandb that takes everything down in the file $TOLD.
constexpr const char* kRecordingClient = R"(
import json, os
__version__ = "0.0"
def told(**what):
    with open(os.environ["TOLD"], "a") as file:
        file.write(json.dumps(what) + "\n")
class Settings:
    def __init__(self, **settings):
        if "x_stats_pid" in settings and "OLD" in os.environ:
            raise TypeError("unknown setting")
class Histogram:
    def __init__(self, np_histogram):
        counts, edges = np_histogram
        assert len(counts) + 1 == len(edges)
        self.facts = {"sum": sum(counts), "first": edges[0], "last": edges[-1]}
class Run:
    id = "made-here"
    url = "http://localhost/run"
    step = int(os.environ.get("KNOWN_STEPS", "0"))
    def log(self, values, step):
        if os.environ.get("FAIL_AT") == str(step):
            raise ValueError("no room\nfor more")
        told(step=step, **{tag: getattr(value, "facts", value) for tag, value in values.items()})
    def finish(self, exit_code):
        told(finish=exit_code)
def init(name, id, resume, config, settings):
    if "REFUSE" in os.environ:
        raise RuntimeError("No API key configured.")
    told(name=name, id=id, resume=resume, config=config)
    return Run()
)";

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Json> json_lines_of(const fs::path& file) {
  std::vector<Json> all;
  for (const std::string& line : lines_of(file)) all.push_back(Json::parse(line));
  return all;
}

bool python_can(const char* what) {
  return std::system(fmt::format("python3 -c '{}' > /dev/null 2>&1", what).c_str()) == 0;
}

class WandbTest : public ::testing::Test {
 protected:
  WandbTest() {
    train_options_.model = "models/base";
    train_options_.output = "models/mine";
    train_options_.train_data = "data.jsonl";
    train_options_.learning_rate = 4e-4;
    train_options_.freeze_non_bias = true;
  }

  RunInfo info(std::int64_t first_step = 0) const {
    return {.options = train_options_, .first_step = first_step, .total_steps = 20};
  }

  WandbOptions helper(const std::string& script) const {
    WandbOptions options;
    options.command = {"sh", "-c", script, "sh", told().string()};
    options.run_folder = temp_ / "run";
    return options;
  }

  /// The program's own helper, for which a package lies in the folder "client"; the environment has these settings.
  WandbOptions python(const std::vector<std::string>& environment = {}) const {
    fs::create_directories(temp_ / "client");
    temp_.write("client/wandb.py", kRecordingClient);
    WandbOptions options;
    options.run_folder = temp_ / "run";
    std::vector<std::string> command{"env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + (temp_ / "client").string(),
                                     "TOLD=" + told().string()};
    for (const char* name : {"WANDB_NAME", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_MODE"}) {
      command.insert(command.begin() + 1, {"-u", name});
    }
    command.insert(command.end(), environment.begin(), environment.end());
    command.insert(command.end(), options.command.begin(), options.command.end());
    options.command = command;
    return options;
  }

  fs::path told() const { return temp_ / "told.jsonl"; }

  /// What a UserError says of the start; everything else fails.
  std::string refusal(const WandbOptions& options) const {
    try {
      Wandb wandb(options);
      wandb.on_start(info());
    } catch (const UserError& error) {
      return error.what();
    }
    ADD_FAILURE() << "it started";
    return {};
  }

  static std::vector<NamedHistogram> histograms() {
    const std::vector<float> values{-1, 0, 0.5f, 3};
    const std::vector<float> same(7, 0.25f);
    return {{"gradients/a", make_histogram(values)}, {"gradients/b", make_histogram(same)}};
  }

  testing::TempFolder temp_;
  TrainOptions train_options_;
};

TEST_F(WandbTest, TheHelperIsToldEverythingInOrder) {
  {
    Wandb wandb(helper(kGoodHelper));
    wandb.on_start(info());
    wandb.on_step({.step = 0, .loss = 2.5, .gradient_norm = std::numeric_limits<double>::infinity()});
    wandb.on_histograms(0, histograms());
    wandb.on_end({.steps = 20});
    const NamedNumber numbers[] = {{"MRR@10", 0.25}};
    wandb.on_evaluation(20, numbers);
  }
  const auto lines = json_lines_of(told());
  ASSERT_EQ(lines.size(), 5u);
  const Json& init = lines[0]["init"];
  EXPECT_EQ(init["name"], "mine");
  EXPECT_TRUE(init["id"].is_null());
  EXPECT_EQ(init["config"]["lr"], 4e-4);
  EXPECT_EQ(init["config"]["freezenonbias"], true);
  EXPECT_EQ(init["config"]["model_name"], "models/base");
  EXPECT_EQ(init["config"]["total_steps"], 20);
  EXPECT_EQ(lines[1]["values"]["train/loss"], 2.5);
  EXPECT_TRUE(lines[1]["values"]["train/gradient_norm"].is_null());
  EXPECT_EQ(lines[2]["histograms"]["gradients/a"]["counts"].size(), 64u);
  EXPECT_EQ(lines[2]["histograms"]["gradients/a"]["edges"].size(), 65u);
  EXPECT_EQ(lines[2]["histograms"]["gradients/a"]["edges"].back(), 3);
  EXPECT_EQ(lines[2]["histograms"]["gradients/b"]["counts"], Json({7}));
  EXPECT_EQ(lines[2]["histograms"]["gradients/b"]["edges"], Json({-0.25, 0.75}));
  EXPECT_EQ(lines[3], Json({{"step", 20}, {"values", {{"dev/MRR@10", 0.25}}}}));
  EXPECT_EQ(lines[4], Json({{"finish", 0}}));
}

TEST_F(WandbTest, AResumedRunContinuesTheSameOne) {
  for (const std::int64_t first_step : {0, 8}) {
    Wandb wandb(helper(kGoodHelper));
    wandb.on_start(info(first_step));
    wandb.on_end({.finished = false});
  }
  const auto lines = json_lines_of(told());
  ASSERT_EQ(lines.size(), 2u);  // of the second
  EXPECT_EQ(lines[0]["init"]["id"], "abc123");
  EXPECT_EQ(lines[1], Json({{"finish", 255}}));
}

TEST_F(WandbTest, WhatEndsEarlyHasFailed) {
  { Wandb(helper(kGoodHelper)).on_start(info()); }
  EXPECT_EQ(json_lines_of(told()).back(), Json({{"finish", 1}}));
}

TEST_F(WandbTest, ARefusalSaysWhatToDo) {
  WandbOptions absent;
  absent.command = {"sgpt-no-such-python"};
  EXPECT_THAT(refusal(absent), AllOf(HasSubstr("--wandb"), HasSubstr("sgpt-no-such-python"), HasSubstr("pip install")));
  EXPECT_THAT(refusal(helper("exit 3")), HasSubstr("ended without an answer"));
  EXPECT_THAT(refusal(helper(R"(echo '{"error": "No module named wandb"}' >&0)")),
              AllOf(HasSubstr("No module named wandb"), HasSubstr("pip install wandb")));
  EXPECT_THAT(refusal(helper(R"(echo '{"imported": "1"}' >&0; read -r line; echo '{"error": "No API key"}' >&0)")),
              AllOf(HasSubstr("No API key"), HasSubstr("wandb login"), HasSubstr("WANDB_MODE=offline")));
  EXPECT_THAT(refusal(helper("echo nonsense >&0; read -r line")), HasSubstr("nonsense"));
  WandbOptions silent = helper("sleep 1000");
  silent.start_patience = milliseconds(50);
  EXPECT_THAT(refusal(silent), HasSubstr("silent"));
}

TEST_F(WandbTest, AStartThatIsNoLongerWantedIsNotWaitedFor) {
  for (const char* before : {"", R"(echo '{"imported": "1"}' >&0; read -r line; )"}) {
    WandbOptions options = helper(std::string(before) + "sleep 1000 & wait");
    options.stop = [] { return true; };
    if (*before) options.stop = [asked = 0]() mutable { return ++asked > 3; };
    const auto begin = std::chrono::steady_clock::now();
    ::testing::internal::CaptureStderr();
    {
      Wandb wandb(options);
      wandb.on_start(info());
      wandb.on_step({.step = 0});
      wandb.on_end({.finished = false});
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
    EXPECT_FALSE(fs::exists(temp_ / "run/wandb.json"));
  }
}

TEST_F(WandbTest, AHelperThatDiesOrHangsHoldsNothing) {
  const std::string start = R"(echo '{"imported": "1"}' >&0; read -r line; echo '{"ready": {"id": "x"}}' >&0; )";
  for (const char* then : {"exit 1", "sleep 1000 & wait", R"(echo '{"error": "no room"}' >&0)"}) {
    WandbOptions options = helper(start + then);
    options.finish_patience = milliseconds(200);
    const auto begin = std::chrono::steady_clock::now();
    ::testing::internal::CaptureStderr();
    {
      Wandb wandb(options);
      wandb.on_start(info());
      for (std::int64_t step = 0; step < 2000; ++step) {
        wandb.on_step({.step = step});
        if (step % 10 == 0) wandb.on_histograms(step, std::vector<NamedHistogram>(20, histograms()[0]));
      }
      wandb.on_end({.steps = 2000});
    }
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("warning: --wandb")) << then;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60)) << then;
  }
}

TEST_F(WandbTest, ALostHelperIsSaidOnce) {
  const std::string start = R"(echo '{"imported": "1"}' >&0; read -r line; echo '{"ready": {"id": "x"}}' >&0; )";
  ::testing::internal::CaptureStderr();
  {
    Wandb wandb(helper(start + R"(read -r line; echo '{"error": "no room"}' >&0)"));
    wandb.on_start(info());
    for (std::int64_t step = 0; step < 100; ++step) {
      wandb.on_step({.step = step});
      std::this_thread::sleep_for(milliseconds(5));
    }
    wandb.on_end({.steps = 100});
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("no room"));
  EXPECT_EQ(said.find("warning"), said.rfind("warning")) << said;
}

class WandbPythonTest : public WandbTest {
 protected:
  void SetUp() override {
    if (!python_can("pass")) GTEST_SKIP() << "there is no python3";
  }

  void run(const WandbOptions& options, std::int64_t first_step, std::int64_t steps) const {
    Wandb wandb(options);
    wandb.on_start(info(first_step));
    for (std::int64_t step = first_step; step < steps; ++step) {
      wandb.on_step({.step = step, .loss = 1.0 / static_cast<double>(step + 1)});
      if (step == 0) wandb.on_histograms(step, histograms());
    }
    wandb.on_end({.steps = steps});
  }
};

TEST_F(WandbPythonTest, TheClientIsToldEverything) {
  run(python(), 0, 3);
  const auto told_lines = json_lines_of(told());
  ASSERT_EQ(told_lines.size(), 1u + 3u + 1u + 1u);
  EXPECT_EQ(told_lines[0]["name"], "mine");
  EXPECT_EQ(told_lines[0]["resume"], "allow");
  EXPECT_EQ(told_lines[0]["config"]["lr"], 4e-4);
  EXPECT_EQ(told_lines[1]["train/loss"], 1);
  EXPECT_EQ(told_lines[2]["step"], 0);
  EXPECT_EQ(told_lines[2]["gradients/a"], Json({{"sum", 4}, {"first", -1}, {"last", 3}}));
  EXPECT_EQ(told_lines[4]["step"], 2);
  EXPECT_EQ(told_lines[5]["finish"], 0);
  EXPECT_EQ(Json::parse(lines_of(temp_ / "run/wandb.json").at(0))["id"], "made-here");
}

TEST_F(WandbPythonTest, TheEnvironmentGoesFirst) {
  run(python({"WANDB_NAME=theirs", "WANDB_RUN_ID=theirs", "WANDB_RESUME=must", "OLD=1"}), 0, 1);
  const Json init = json_lines_of(told()).at(0);
  for (const char* key : {"name", "id", "resume"}) EXPECT_TRUE(init[key].is_null()) << key;
}

TEST_F(WandbPythonTest, StepsThatTheClientHasAreNotToldAgain) {
  run(python(), 0, 1);
  fs::remove(told());
  run(python({"KNOWN_STEPS=6"}), 4, 8);
  const auto told_lines = json_lines_of(told());
  ASSERT_EQ(told_lines.size(), 1u + 2u + 1u);
  EXPECT_EQ(told_lines[0]["id"], "made-here");
  EXPECT_EQ(told_lines[1]["step"], 6);
}

TEST_F(WandbPythonTest, FailuresOfTheClientAreToldInItsWords) {
  EXPECT_THAT(refusal(python({"REFUSE=1"})), HasSubstr("RuntimeError: No API key configured."));
  WandbOptions no_client = python();
  fs::remove(temp_ / "client" / "wandb.py");
  temp_.write("client/wandb.py", "raise ImportError('half installed')");
  EXPECT_THAT(refusal(no_client), HasSubstr("ImportError: half installed"));
  ::testing::internal::CaptureStderr();
  run(python({"FAIL_AT=1"}), 0, 200);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("ValueError: no room for more"));
}

TEST_F(WandbPythonTest, SignalsDoNotEndTheHelperButTheEndOfSgptDoes) {
  const std::string script = std::string(wandb_helper()) + "\n";
  {
    WandbOptions options = python();
    // The helper's process sends itself what a terminal or a batch system sends to all.
    options.command.back() =
        "import os, signal, threading\n"
        "def send():\n"
        "    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):\n"
        "        os.kill(os.getpid(), name)\n"
        "threading.Timer(0.3, send).start()\n" +
        script;
    HelperProcess process(options.command);
    ASSERT_TRUE(process.receive(HelperProcess::Clock::now() + std::chrono::seconds(60)));
    process.send(R"({"init": {"name": "n", "id": null, "config": {}}})");
    ASSERT_TRUE(process.receive(HelperProcess::Clock::now() + std::chrono::seconds(60)));
    std::this_thread::sleep_for(milliseconds(600));
    process.send(R"({"step": 0, "values": {"train/loss": null}})");
    EXPECT_TRUE(process.finish(HelperProcess::Clock::now() + std::chrono::seconds(60)));  // without a word
  }
  const auto lines = lines_of(told());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("NaN"));
  EXPECT_EQ(Json::parse(lines[2])["finish"], 1);
}

TEST_F(WandbPythonTest, TheRealClientWritesItsRecordOffline) {
  if (!python_can("import wandb; wandb.init")) GTEST_SKIP() << "Python's package wandb is not installed here";
  const fs::path folder = temp_ / "records";
  fs::create_directory(folder);
  setenv("WANDB_MODE", "offline", 1);
  setenv("WANDB_SILENT", "true", 1);
  setenv("WANDB_DIR", folder.c_str(), 1);
  WandbOptions options;
  options.run_folder = temp_ / "run";
  run(options, 0, 3);
  const std::string id = Json::parse(lines_of(temp_ / "run/wandb.json").at(0))["id"].get<std::string>();
  ASSERT_FALSE(id.empty());
  int records = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".wandb") continue;
    ++records;
    EXPECT_EQ(entry.path().filename(), "run-" + id + ".wandb");
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    for (const char* part : {"train/loss", "gradients/a", "histogram", "freezenonbias"}) {
      EXPECT_THAT(bytes, HasSubstr(part));
    }
  }
  EXPECT_EQ(records, 1);
}

}  // namespace
}  // namespace sgpt
