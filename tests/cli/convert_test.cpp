// sgpt convert as a user calls it: a converted model works, and one that is stopped half-way leaves nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "sparse_model.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ConvertProgram, AConvertedModelEncodesAndIsDescribed) {
  const TempFolder home;
  const std::string source = write_tiny_model(home / "source");
  const std::string texts = home.write("texts.txt", "the cat\nthe dog\n").string();
  for (const char* type : {"bf16", "f16", "f32"}) {
    const std::string target = (home / type).string();
    const Outcome converted = sgpt({"convert", source, target, "--dtype", type});
    ASSERT_EQ(converted.status, 0) << converted.err;
    EXPECT_EQ(converted.out, "");
    EXPECT_THAT(converted.err, HasSubstr(std::string("tensors as ") + type));
    EXPECT_THAT(sgpt({"info", target}).out, HasSubstr(std::string("tensors of ") + type));
    const Outcome encoded =
        sgpt({"encode", "--document", "--model", target, "--input", texts, "--output", target + ".npy"});
    EXPECT_EQ(encoded.status, 0) << encoded.err;
  }
  const std::string int8 = (home / "int8").string();
  ASSERT_EQ(sgpt({"convert", source, int8, "--dtype", "int8"}).status, 0);
  const Outcome info = sgpt({"info", int8});
  EXPECT_EQ(info.status, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("8 tensors of i8"));
  EXPECT_THAT(info.out, HasSubstr("train the model that they were made from"));
  EXPECT_THAT(info.out, Not(HasSubstr("--freezenonbias")));  // no plan for what train refuses
  EXPECT_TRUE(nlohmann::json::parse(sgpt({"info", int8, "--json"}).out).at("memory").at("train_all").is_null());
}

TEST(ConvertProgram, ManyFilesAreNamedByTheFirstAndTheLast) {
  const TempFolder home;
  const std::string source = write_tiny_model(home / "source");
  const std::string target = (home / "pieces").string();
  ASSERT_EQ(sgpt({"convert", source, target, "--dtype", "f32", "--shard_size", "20KB"}).status, 0);
  const auto files = nlohmann::json::parse(sgpt({"info", target, "--json"}).out).at("files");
  ASSERT_GT(files.size(), 3u);
  EXPECT_THAT(sgpt({"info", target}).out,
              HasSubstr(files.front().get<std::string>() + " … " + files.back().get<std::string>() + " (" +
                        std::to_string(files.size()) + " files)"));
}

TEST(ConvertProgram, MistakesAreNamed) {
  const TempFolder home;
  const std::string source = write_tiny_model(home / "source");
  const std::string target = (home / "target").string();
  EXPECT_EQ(sgpt({"convert", source, target}).status, 2);
  EXPECT_EQ(sgpt({"convert", source, target, "--dtype", "int4"}).status, 2);
  const Outcome itself = sgpt({"convert", source, source, "--dtype", "f16"});
  EXPECT_EQ(itself.status, 2);
  EXPECT_THAT(itself.err, HasSubstr("one and the same"));
  EXPECT_FALSE(fs::exists(target));
}

class StoppedConvert : public ::testing::TestWithParam<int> {};

TEST_P(StoppedConvert, LeavesNothingUnderTheName) {
  const TempFolder home;
  const std::string source = write_sparse_model(home / "source", 4096, 8).string();  // 2 GB, of zeros
  const fs::path target = home / "target";
  RunningCommand run(sgpt_command({"convert", source, target.string(), "--dtype", "int8"}));
  const auto partial_is_there = [&] {
    for (const auto& entry : fs::directory_iterator(home.path())) {
      if (entry.path().filename().string().starts_with("target.partial-")) return true;
    }
    return false;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!partial_is_there() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSERT_TRUE(partial_is_there());
  run.send(GetParam());
  EXPECT_EQ(run.wait().status, 128 + GetParam());
  EXPECT_FALSE(fs::exists(target));
  EXPECT_EQ(partial_is_there(), GetParam() == SIGKILL);  // which nobody can clean up after
}

INSTANTIATE_TEST_SUITE_P(Signals, StoppedConvert, ::testing::Values(SIGTERM, SIGINT, SIGKILL),
                         [](const auto& signal) { return "signal_" + std::to_string(signal.param); });

}  // namespace
}  // namespace sgpt::testing
