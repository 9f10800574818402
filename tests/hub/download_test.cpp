// What a download brings from a hub that works, and how it is laid out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "hub/download_errors.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using testing::content_of;
using testing::FakeHub;
using ::testing::HasSubstr;
using testing::kCommit;
using testing::kWeights;
using testing::sentence_of;
using testing::ServedAnswer;
using testing::ServedRequest;

TEST(Download, BringsWhatIsNeededIntoTheSharedLayout) {
  FakeHub hub;
  const auto folder = resolve_model("org/model", hub.options());
  EXPECT_EQ(folder, hub.snapshot());
  for (const char* file : {"config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json", kWeights}) {
    EXPECT_EQ(content_of(folder / file), hub.files.at(file)) << file;
    EXPECT_TRUE(std::filesystem::is_regular_file(hub.blob(file))) << file;
  }
  EXPECT_EQ(std::filesystem::read_symlink(folder / "1_Pooling/config.json"),
            std::filesystem::path("../../../blobs") / hub.blob("1_Pooling/config.json").filename());
  EXPECT_EQ(content_of(hub.model_folder() / "refs" / "main"), kCommit);
  for (const char* file : {"pytorch_model.bin", "onnx/model.onnx", "tf_model.h5", ".gitattributes"}) {
    EXPECT_FALSE(std::filesystem::exists(folder / file)) << file;
  }
  EXPECT_FALSE(std::filesystem::exists(hub.incomplete(kWeights)));
}

TEST(Download, AsksNothingForAModelInTheCache) {
  FakeHub hub;
  const auto folder = resolve_model("org/model", hub.options());
  const std::size_t before = hub.server().requests().size();
  EXPECT_EQ(resolve_model("org/model", hub.options()), folder);
  EXPECT_EQ(resolve_model("org/model@" + kCommit, hub.options()), folder);
  EXPECT_EQ(hub.server().requests().size(), before);
}

TEST(Download, UpdatesWhenTheBranchHasMovedAndKeepsWhatDidNotChange) {
  FakeHub hub;
  resolve_model("org/model", hub.options());
  const std::string second = "89abcdef0123456789abcdef0123456789abcdef";
  hub.commit = second;
  hub.files["config.json"] = R"({"new": true})";
  EXPECT_EQ(resolve_model("org/model", hub.options()).filename(), kCommit);
  auto options = hub.options();
  options.update = true;
  const auto folder = resolve_model("org/model", options);
  EXPECT_EQ(folder.filename(), second);
  EXPECT_EQ(content_of(folder / "config.json"), R"({"new": true})");
  EXPECT_EQ(content_of(hub.model_folder() / "refs" / "main"), second);
  EXPECT_EQ(hub.storage().requests().size(), 1u);  // the weights came once
}

TEST(Download, CompletesASnapshotThatAnotherProgramFetchedInPart) {
  FakeHub hub;
  const auto folder = resolve_model("org/model", hub.options());
  for (const char* file : {kWeights, "1_Pooling/config.json", "tokenizer.json"}) {
    std::filesystem::remove(folder / file);
    std::filesystem::remove(hub.blob(file));
    resolve_model("org/model", hub.options());
    EXPECT_EQ(content_of(folder / file), hub.files.at(file));
  }
}

TEST(Download, TakesARevision) {
  FakeHub hub;
  EXPECT_EQ(resolve_model("org/model@refs/pr/1", hub.options()), hub.snapshot());
  EXPECT_EQ(content_of(hub.model_folder() / "refs/refs/pr/1"), kCommit);
  EXPECT_FALSE(std::filesystem::exists(hub.model_folder() / "refs/main"));
  EXPECT_EQ(resolve_model("org/model@" + kCommit, hub.options()), hub.snapshot());
}

TEST(Download, SendsTheTokenToTheHubAndToNobodyElse) {
  FakeHub hub;
  auto options = hub.options();
  options.token = "secret";
  resolve_model("org/model", options);
  for (const auto& request : hub.server().requests()) {
    EXPECT_EQ(request.header("authorization"), "Bearer secret") << request.path;
  }
  ASSERT_FALSE(hub.storage().requests().empty());
  for (const auto& request : hub.storage().requests()) {
    EXPECT_EQ(request.header("authorization"), "") << request.path;
    EXPECT_EQ(request.method, "GET") << "the other host was asked for what the hub had said";
  }
}

TEST(Download, FollowsARelativeRedirectWithTheToken) {
  FakeHub hub;
  hub.interfere = [&](const ServedRequest& request) -> std::optional<ServedAnswer> {
    const auto moved = request.path.find("/old/name");
    if (moved == std::string::npos) return std::nullopt;
    std::string target = request.path;
    target.replace(moved, std::string("/old/name").size(), "/org/model");
    return ServedAnswer{307, "moved", {{"Location", target}, {"ETag", "\"wrong\""}}, std::string::npos};
  };
  auto options = hub.options();
  options.token = "secret";
  const auto folder = resolve_model("old/name", options);
  EXPECT_EQ(folder, hub.cache() / "models--old--name" / "snapshots" / kCommit);
  EXPECT_EQ(content_of(folder / kWeights), hub.files.at(kWeights));
  for (const auto& request : hub.server().requests()) EXPECT_EQ(request.header("authorization"), "Bearer secret");
}

TEST(Download, FetchesTheShardsThatAnIndexNames) {
  FakeHub hub;
  hub.files.erase(kWeights);
  hub.files["model.safetensors.index.json"] =
      R"({"weight_map": {"a": "model_00001-of-00002.safetensors", "b": "model_00002-of-00002.safetensors"}})";
  hub.files["model_00001-of-00002.safetensors"] = "first";
  hub.files["model_00002-of-00002.safetensors"] = "second";
  hub.files["model.fp32-00001-of-00002.safetensors"] = "not asked for";
  const auto folder = resolve_model("org/model", hub.options());
  EXPECT_EQ(content_of(folder / "model_00001-of-00002.safetensors"), "first");
  EXPECT_EQ(content_of(folder / "model_00002-of-00002.safetensors"), "second");
  EXPECT_FALSE(std::filesystem::exists(folder / "model.fp32-00001-of-00002.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder / "pytorch_model.bin"));
  // A shard that is gone makes the snapshot incomplete.
  std::filesystem::remove(folder / "model_00002-of-00002.safetensors");
  resolve_model("org/model", hub.options());
  EXPECT_EQ(content_of(folder / "model_00002-of-00002.safetensors"), "second");
}

TEST(Download, TakesPyTorchWeightsWhereThereIsNothingBetter) {
  FakeHub hub;
  hub.files.erase(kWeights);
  EXPECT_TRUE(std::filesystem::exists(resolve_model("org/model", hub.options()) / "pytorch_model.bin"));
  FakeHub bare;
  bare.files.erase(kWeights);
  bare.files.erase("pytorch_model.bin");
  EXPECT_THAT(sentence_of<UserError>("org/model", bare.options()), HasSubstr("no weights"));
}

TEST(Download, LetsTwoAtOnceShareOneDownload) {
  FakeHub hub;
  const auto resolve = [&] { EXPECT_EQ(resolve_model("org/model", hub.options()), hub.snapshot()); };
  std::thread first(resolve);
  std::thread second(resolve);
  first.join();
  second.join();
  EXPECT_EQ(hub.storage().requests().size(), 1u);
  EXPECT_EQ(content_of(hub.snapshot() / kWeights), hub.files.at(kWeights));
}

}  // namespace
}  // namespace sgpt
