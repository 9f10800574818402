// Written model folders: everything that was set is read back, the source's own keys are kept, nothing half-written
// stays.
#include "model/model_folder_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "family_models.h"
#include "file_builders.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;
using ::testing::ThrowsMessage;
using testing::write_tiny_model;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json json_of(const fs::path& path) { return nlohmann::json::parse(text_of(path)); }

std::vector<TensorToWrite> tensors_of(const Checkpoint& checkpoint) {
  std::vector<TensorToWrite> result;
  for (const CheckpointTensor& t : checkpoint.tensors()) result.push_back({t.name, t.type, t.shape, t.bytes, {}});
  return result;
}

std::vector<fs::path> names_in(const fs::path& folder) {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// The class, and code that does not come along, may have been all that said that the attention looks both ways.
TEST(ModelFolderWriter, AttentionBothWaysStaysSo) {
  const TempFolder temp;
  const Architecture llama = testing::tiny_architecture("llama", 32, 2, 4);
  const fs::path source = testing::write_family_model(temp / "source", llama);
  nlohmann::json config = json_of(source / "config.json");
  config.update({{"model_type", "llama_bidirec"},
                 {"architectures", {"LlamaBidirectionalModel"}},
                 {"auto_map", {{"AutoModel", "its_code.LlamaBidirectionalModel"}}}});
  testing::tiny::write(source / "config.json", config.dump());
  const ModelFolder settings = read_model_folder(source);
  EXPECT_FALSE(settings.config.causal);
  const Checkpoint checkpoint = Checkpoint::open(source);
  write_model_folder(settings, source, temp / "target", tensors_of(checkpoint));
  EXPECT_FALSE(read_model_folder(temp / "target").config.causal);
  EXPECT_EQ(summary_of(read_model_folder(temp / "target").config), summary_of(settings.config));
  const nlohmann::json written = json_of(temp / "target" / "config.json");
  EXPECT_EQ(written["model_type"], "llama");
  EXPECT_EQ(written["architectures"], nlohmann::json::array({"LlamaModel"}));
  EXPECT_EQ(written["is_causal"], false);
  EXPECT_FALSE(written.contains("auto_map"));
}

TEST(ModelFolderWriter, WhatIsWrittenIsReadBack) {
  const TempFolder temp;
  testing::TinyModel tiny;
  tiny.prefix = "transformer.";
  const fs::path source = write_tiny_model(temp / "source", tiny);
  testing::tiny::write(
      source / "config.json",
      R"({"model_type":"bloom","architectures":["BloomForCausalLM"],"n_embed":32,"n_layer":2,"n_head":4,)"
      R"("vocab_size":272,"a_key_of_its_own":[1,2],"torch_dtype":"bfloat16"})");
  ModelFolder settings = read_model_folder(source);
  settings.pooling = {PoolingMode::mean, PoolingMode::weightedmean};
  settings.normalize = true;
  settings.max_seq_length = 77;
  settings.brackets = true;
  const Checkpoint checkpoint = Checkpoint::open(source);
  write_model_folder(settings, source, temp / "target", tensors_of(checkpoint));

  const ModelFolder read = read_model_folder(temp / "target");
  EXPECT_THAT(read.pooling, ElementsAre(PoolingMode::mean, PoolingMode::weightedmean));
  EXPECT_TRUE(read.normalize);
  EXPECT_EQ(read.max_seq_length, 77);
  EXPECT_EQ(read.brackets, true);
  EXPECT_EQ(read.config.hidden, 32);
  const Checkpoint written = Checkpoint::open(temp / "target");
  EXPECT_EQ(written.tensors().size(), checkpoint.tensors().size());
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const CheckpointTensor& copy = written.require(tensor.name, tensor.shape);
    EXPECT_TRUE(std::equal(copy.bytes.begin(), copy.bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
  }
  const auto config = json_of(temp / "target" / "config.json");
  EXPECT_EQ(config["a_key_of_its_own"], nlohmann::json({1, 2}));
  EXPECT_EQ(config["architectures"], nlohmann::json::array({"BloomModel"}));
  EXPECT_EQ(config["torch_dtype"], "float32");
  EXPECT_EQ(text_of(temp / "target" / "tokenizer.json"), text_of(source / "tokenizer.json"));
  EXPECT_EQ(text_of(temp / "target" / "tokenizer_config.json"), text_of(source / "tokenizer_config.json"));
  EXPECT_EQ(names_in(temp.path()), (std::vector<fs::path>{"source", "target"}));
}

TEST(ModelFolderWriter, TheSameTwiceIsTheSameToTheByte) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  const Checkpoint checkpoint = Checkpoint::open(source);
  for (const char* target : {"one", "two"}) {
    write_model_folder(read_model_folder(source), source, temp / target, tensors_of(checkpoint));
  }
  ASSERT_EQ(names_in(temp / "one"), names_in(temp / "two"));
  for (const auto& name : names_in(temp / "one")) {
    if (fs::is_directory(temp / "one" / name)) continue;
    EXPECT_EQ(text_of(temp / "one" / name), text_of(temp / "two" / name)) << name;
  }
}

TEST(ModelFolderWriter, PoolingModesInAnUnusualOrderKeepIt) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  ModelFolder settings = read_model_folder(source);
  settings.pooling = {PoolingMode::lasttoken, PoolingMode::mean_sqrt_len};
  write_model_folder(settings, source, temp / "target", {});
  EXPECT_EQ(read_model_folder(temp / "target").pooling, settings.pooling);
}

TEST(ModelFolderWriter, PlainMeanIsWrittenWithTheKeysOfTheOldestVersions) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  ModelFolder settings = read_model_folder(source);
  settings.pooling = {PoolingMode::mean};
  write_model_folder(settings, source, temp / "target", {});
  const auto config = json_of(temp / "target" / "1_Pooling" / "config.json");
  EXPECT_EQ(config["pooling_mode_mean_tokens"], true);
  EXPECT_FALSE(config.contains("pooling_mode_weightedmean_tokens"));
}

TEST(ModelFolderWriter, UnknownBracketsStayUnknown) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  write_model_folder(read_model_folder(source), source, temp / "target", {});
  EXPECT_FALSE(read_model_folder(temp / "target").brackets.has_value());
}

TEST(ModelFolderWriter, ATokenizerAloneIsEnough) {
  const TempFolder temp;
  testing::write_tiny_tokenizer(temp / "my-tokenizer.json");
  ModelFolder settings;
  settings.config = make_architecture("bloom", {32, 2, 4, 272});
  settings.pooling = {PoolingMode::weightedmean};
  const float one = 1;
  const TensorToWrite tensor{"ln_f.bias", DType::f32, {1}, std::as_bytes(std::span(&one, 1)), {}};
  write_model_folder(settings, temp / "my-tokenizer.json", temp / "new" / "target" / "", std::array{tensor});
  const ModelFolder read = read_model_folder(temp / "new" / "target");
  EXPECT_EQ(read.config.heads, 4);
  EXPECT_EQ(read.config.layer_norm_eps, 1e-5f);
  EXPECT_EQ(read.max_seq_length, 300);
  const auto config = json_of(temp / "new" / "target" / "config.json");
  EXPECT_EQ(config["pad_token_id"], 3);
  EXPECT_EQ(config["torch_dtype"], "float32");
  EXPECT_EQ(json_of(temp / "new" / "target" / "tokenizer_config.json")["pad_token"], "<pad>");
  EXPECT_EQ(json_of(temp / "new" / "target" / "special_tokens_map.json")["eos_token"], "</s>");
}

TEST(ModelFolderWriter, AnExistingTargetIsRefused) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  const ModelFolder settings = read_model_folder(source);
  temp.write("file", "x");
  EXPECT_THAT([&] { write_model_folder(settings, source, source, {}); },
              ThrowsMessage<UserError>(HasSubstr("not empty")));
  EXPECT_THAT([&] { write_model_folder(settings, source, temp / "file", {}); },
              ThrowsMessage<UserError>(HasSubstr("no folder")));
  EXPECT_THROW(require_new_folder(source), UserError);
  fs::create_directory(temp / "empty");
  EXPECT_NO_THROW(write_model_folder(settings, source, temp / "empty", {}));
  EXPECT_TRUE(fs::exists(temp / "empty" / "modules.json"));
}

TEST(ModelFolderWriter, AFailureLeavesNothingBehind) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  const ModelFolder settings = read_model_folder(source);
  TensorToWrite failing{
      "a", DType::f32, {1}, {}, [](std::uint64_t, std::span<std::byte>) { throw MachineError("no more"); }};
  EXPECT_THROW(write_model_folder(settings, source, temp / "target", std::array{failing}), MachineError);
  fs::remove(source / "tokenizer.json");
  EXPECT_THAT([&] { write_model_folder(settings, source, temp / "target", {}); },
              ThrowsMessage<UserError>(HasSubstr("tokenizer.json")));
  testing::tiny::write(source / "tokenizer.json", "{}");
  testing::tiny::write(source / "config.json", "broken");
  EXPECT_THROW(write_model_folder(settings, source, temp / "target", {}), UserError);
  EXPECT_EQ(names_in(temp.path()), (std::vector<fs::path>{"source"}));
}

}  // namespace
}  // namespace sgpt
