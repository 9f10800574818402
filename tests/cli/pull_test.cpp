// sgpt pull without a network: the folder of a cached model on stdout, the mistakes with their exit status. (Downloads
// are tested in tests/hub.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "cli/program.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::sgpt;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

/// A hub cache with org/model in it, and an environment that names it and forbids the network.
class Pull : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(cache_ / "models--org--model/refs");
    std::filesystem::create_directories(snapshot());
    cache_.write("models--org--model/refs/main", kCommit);
    for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"}) {
      cache_.write("models--org--model/snapshots/" + kCommit + "/" + file, "{}");
    }
    ::setenv("HF_HUB_CACHE", cache_.path().c_str(), 1);
    ::setenv("HF_HUB_OFFLINE", "1", 1);
  }
  void TearDown() override {
    ::unsetenv("HF_HUB_CACHE");
    ::unsetenv("HF_HUB_OFFLINE");
  }

  std::filesystem::path snapshot() const { return cache_ / ("models--org--model/snapshots/" + kCommit); }

  testing::TempFolder cache_;
};

TEST_F(Pull, PrintsTheFolderAndNothingElse) {
  for (const auto& arguments : {std::vector<std::string>{"pull", "org/model"},
                                {"pull", "org/model@" + kCommit},
                                {"pull", "org/model", "--revision", kCommit}}) {
    const auto outcome = sgpt(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, snapshot().string() + "\n");
  }
}

TEST_F(Pull, NamesTheMistake) {
  const auto expect = [](const std::vector<std::string>& arguments, const char* sentence) {
    const auto outcome = sgpt(arguments);
    EXPECT_EQ(outcome.status, 2) << sentence;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(sentence));
  };
  expect({"pull", "org/other"}, "HF_HUB_OFFLINE");
  expect({"pull", "org/model", "--revision", "v9"}, "HF_HUB_OFFLINE");
  expect({"pull", "org/model@v1", "--revision", "v2"}, "give one of both");
  expect({"pull", "a/b/c"}, "no name of a model");
  expect({"pull"}, "NAME is required");
}

}  // namespace
}  // namespace sgpt
