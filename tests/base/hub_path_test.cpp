// Paths in the hub's cache, and links whose target is gone.
#include "base/hub_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(HubPath, KnowsTheModelThatAPathBelongsTo) {
  EXPECT_EQ(hub_path("/c/hub/models--acme--tiny/snapshots/01ab")->id, "acme/tiny");
  EXPECT_EQ(hub_path("/c/models--acme--tiny/snapshots/01ab/1_Pooling/config.json")->commit, "01ab");
  EXPECT_EQ(hub_path("models--gpt2/snapshots/01ab/")->id, "gpt2");
  EXPECT_EQ(hub_path("/c/models--a--b/snapshots/../snapshots/01ab")->id, "a/b");
  for (const char* other :
       {"/c/model", "/c/models--a--b", "/c/models--a--b/blobs/01", "/c/models--a--b/snapshots", ""}) {
    EXPECT_FALSE(hub_path(other)) << other;
  }
  EXPECT_EQ(model_shown("/c/models--acme--tiny/snapshots/01ab"), "acme/tiny");
  EXPECT_EQ(model_shown("folder/model"), "folder/model");
}

TEST(HubPath, ALinkWithoutItsTargetIsDamageAndSaysWhatMendsIt) {
  const testing::TempFolder temp;
  const fs::path snapshot = temp / "models--acme--tiny/snapshots/01ab";
  fs::create_directories(snapshot);
  fs::create_directories(temp / "models--acme--tiny/refs");
  temp.write("models--acme--tiny/refs/main", "01ab");
  const fs::path file = snapshot / "modules.json";
  EXPECT_FALSE(present(file));
  EXPECT_EQ(repair_advice(temp / "file"), "");
  fs::create_symlink("../../blobs/77", file);
  EXPECT_FALSE(readable(file));
  const auto told =
      AllOf(HasSubstr(file.string()), HasSubstr("../../blobs/77"), HasSubstr("sgpt pull acme/tiny compares"),
            HasSubstr((temp / "models--acme--tiny/blobs/77").string()));
  EXPECT_THAT([&] { present(file); }, ThrowsMessage<UserError>(told));
  EXPECT_THAT([&] { MappedFile{file}; }, ThrowsMessage<UserError>(told));
  fs::create_directories(temp / "models--acme--tiny/blobs");
  temp.write("models--acme--tiny/blobs/77", "[]");
  EXPECT_TRUE(present(file));
  temp.write("models--acme--tiny/refs/main", "02cd");
  EXPECT_THAT(repair_advice(file), HasSubstr("sgpt pull acme/tiny@01ab "));
}

}  // namespace
}  // namespace sgpt
