// A cache that another program filled in part, or that was damaged: it is completed, mended, or the fault is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hub/download_errors.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::content_of;
using testing::FakeHub;
using ::testing::HasSubstr;
using testing::kWeights;
using testing::sentence_of;

/// As transformers' AutoModel leaves a snapshot: nothing of sentence-transformers.
void leave_in_part(const FakeHub& hub) {
  resolve_model("org/model", hub.options());
  for (const char* file : {"modules.json", "1_Pooling/config.json", "README.md"}) fs::remove(hub.snapshot() / file);
  fs::remove_all(hub.model_folder() / ".no_exist");
}

HubOptions updating(const FakeHub& hub) {
  HubOptions options = hub.options();
  options.update = true;
  return options;
}

TEST(PartialCache, IsCompletedFromTheHubWhichIsAskedOnce) {
  FakeHub hub;
  leave_in_part(hub);
  hub.files["sentence_bert_config.json"] = R"({"max_seq_length": 75})";
  const auto folder = resolve_model("org/model", hub.options());
  for (const char* file : {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"}) {
    EXPECT_EQ(content_of(folder / file), hub.files.at(file)) << file;
  }
  EXPECT_TRUE(fs::exists(hub.model_folder() / ".no_exist" / hub.commit / "sgpt_config.json"));
  const std::size_t before = hub.server().requests().size();
  resolve_model("org/model", hub.options());
  EXPECT_EQ(hub.server().requests().size(), before);
  EXPECT_EQ(hub.storage().requests().size(), 1u) << "the weights were there";
}

TEST(PartialCache, WithTheMarksOfHuggingfaceHubNothingIsAsked) {
  FakeHub hub;
  for (const char* file : {"modules.json", "1_Pooling/config.json"}) hub.files.erase(file);
  resolve_model("org/model", hub.options());
  EXPECT_TRUE(fs::exists(hub.model_folder() / ".no_exist" / hub.commit / "modules.json"));
  const std::size_t before = hub.server().requests().size();
  resolve_model("org/model", hub.options());
  EXPECT_EQ(hub.server().requests().size(), before);
}

TEST(PartialCache, ServesOfflineAndWithoutAnAnswerInALine) {
  FakeHub hub;
  leave_in_part(hub);
  HubOptions options = hub.options();
  options.offline = true;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(resolve_model("org/model", options), hub.snapshot());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), AllOf(HasSubstr("modules.json"), HasSubstr("HF_HUB_OFFLINE")));
  options.offline = false;
  options.endpoint = "http://127.0.0.1:1";
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(resolve_model("org/model", options), hub.snapshot());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("modules.json"), HasSubstr("going on without")));
}

TEST(PartialCache, WeightsInAnotherFormServe) {
  FakeHub hub;
  leave_in_part(hub);
  fs::rename(hub.snapshot() / kWeights, hub.snapshot() / "pytorch_model.bin");
  resolve_model("org/model", hub.options());
  EXPECT_TRUE(fs::exists(hub.snapshot() / "modules.json"));
  EXPECT_FALSE(fs::exists(hub.snapshot() / kWeights));
}

TEST(DamagedCache, ALinkWithoutItsBlobIsFetchedAgainOrNamed) {
  for (const char* file :
       {"modules.json", "1_Pooling/config.json", "tokenizer_config.json", "tokenizer.json", kWeights}) {
    FakeHub hub;
    resolve_model("org/model", hub.options());
    fs::remove(hub.blob(file));
    HubOptions offline = hub.options();
    offline.offline = true;
    EXPECT_THAT(sentence_of<UserError>("org/model", offline), AllOf(HasSubstr(file), HasSubstr("HF_HUB_OFFLINE")));
    resolve_model("org/model", hub.options());
    EXPECT_EQ(content_of(hub.snapshot() / file), hub.files.at(file)) << file;
  }
}

TEST(DamagedCache, AnUpdateFetchesAgainWhatIsNotTheHubs) {
  for (const char* file : {"modules.json", "tokenizer.json", kWeights}) {
    for (const bool same_size : {false, true}) {
      FakeHub hub;
      resolve_model("org/model", hub.options());
      std::string damaged = hub.files.at(file);
      if (same_size) {
        damaged[0] ^= 1;
      } else {
        damaged.resize(damaged.size() / 2);
      }
      std::ofstream(hub.blob(file)) << damaged;
      HubOptions offline = updating(hub);
      offline.offline = true;
      EXPECT_THAT(sentence_of<UserError>("org/model", offline), AllOf(HasSubstr(file), HasSubstr("damaged")));
      resolve_model("org/model", updating(hub));
      EXPECT_EQ(content_of(hub.snapshot() / file), hub.files.at(file)) << file;
    }
  }
}

TEST(DamagedCache, AnUpdateOfASoundModelDownloadsNothing) {
  FakeHub hub;
  resolve_model("org/model", hub.options());
  resolve_model("org/model", updating(hub));
  EXPECT_EQ(hub.storage().requests().size(), 1u);
}

TEST(HubListing, AnAdapterIsFetchedWithoutItsBase) {
  for (const char* weights : {"adapter_model.safetensors", "adapter_model.bin"}) {
    FakeHub hub;
    hub.files = {{"adapter_config.json", "{}"}, {weights, "numbers"}, {"tokenizer.json", "{}"}, {"optimizer.pt", "x"}};
    const auto folder = resolve_model("org/model", hub.options());
    EXPECT_EQ(content_of(folder / "adapter_config.json"), "{}");
    EXPECT_EQ(content_of(folder / weights), "numbers");
    EXPECT_EQ(content_of(folder / "tokenizer.json"), "{}");
    EXPECT_FALSE(std::filesystem::exists(folder / "optimizer.pt"));
    HubOptions offline = hub.options();
    offline.offline = true;
    EXPECT_EQ(resolve_model("org/model", offline), folder);
    std::filesystem::remove(folder / weights);
    EXPECT_THAT(sentence_of<UserError>("org/model", offline), HasSubstr("adapter_model"));
  }
}

TEST(HubListing, NamesWhatSgptDoesNotRead) {
  const auto told = [](const std::map<std::string, std::string>& files) {
    FakeHub hub;
    hub.files = files;
    return sentence_of<UserError>("org/model", hub.options());
  };
  const std::map<std::string, std::string> base{{"config.json", "{}"}, {"tokenizer.json", "{}"}};
  auto with = [&](const char* file) {
    auto files = base;
    files[file] = "x";
    return files;
  };
  EXPECT_THAT(told({{"m-q8_0.gguf", "x"}}), HasSubstr("GGUF"));
  EXPECT_THAT(told({{"adapter_config.json", "{}"}}), HasSubstr("PEFT"));
  EXPECT_THAT(told(with("onnx/model.onnx")), HasSubstr("ONNX"));
  EXPECT_THAT(told(with("flax_model.msgpack")), HasSubstr("Flax"));
}

}  // namespace
}  // namespace sgpt
