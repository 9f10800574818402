// Weights of a folder: single and sharded files of both kinds, prefixes, and indices that lie.
#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "file_builders.h"
#include "fixtures.h"
#include "model/describe.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using testing::floats;
using ::testing::HasSubstr;
using testing::safetensors_file;
using ::testing::ThrowsMessage;
namespace pickled = testing::pickled;

std::string safetensors_of(const std::string& name, float value) {
  return safetensors_file("{\"" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", floats({value}));
}

std::string bin_of(const std::string& name, float value) {
  const pickled::Tensor tensor{"FloatStorage", "0", 1, 0, {1}, {1}};
  return testing::torch_zip(pickled::file(pickled::dict({{name, tensor.pickle()}})), {floats({value})}).bytes();
}

float value_of(const Checkpoint& checkpoint, const char* name) {
  const std::array<std::int64_t, 1> shape{1};
  return *checkpoint.require(name, shape).matrix().f32();
}

TEST(Checkpoint, StripsThePrefix) {
  const testing::TempFolder folder;
  folder.write("pytorch_model.bin", bin_of("transformer.ln_f.bias", 2));
  EXPECT_EQ(value_of(Checkpoint::open(folder.path()), "ln_f.bias"), 2);
}

TEST(Checkpoint, SafetensorsGoFirst) {
  const testing::TempFolder folder;
  folder.write("pytorch_model.bin", bin_of("a", 1));
  folder.write("model.safetensors", safetensors_of("a", 2));
  EXPECT_EQ(value_of(Checkpoint::open(folder.path()), "a"), 2);
}

TEST(Checkpoint, ReadsShardsOfBothKinds) {
  for (const bool bin : {false, true}) {
    const testing::TempFolder folder;
    const std::string name = bin ? "pytorch_model" : "model";
    const std::string end = bin ? ".bin" : ".safetensors";
    folder.write(name + "-1" + end, bin ? bin_of("transformer.a", 1) : safetensors_of("transformer.a", 1));
    folder.write(name + "-2" + end, bin ? bin_of("b", 2) : safetensors_of("b", 2));
    folder.write(name + end + ".index.json", R"({"metadata":{"total_size":8},"weight_map":{"transformer.a":")" + name +
                                                 "-1" + end + R"(","b":")" + name + "-2" + end + "\"}}");
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    EXPECT_EQ(value_of(checkpoint, "a"), 1);
    EXPECT_EQ(value_of(checkpoint, "b"), 2);
    EXPECT_EQ(checkpoint.tensors().size(), 2u);
    EXPECT_EQ(checkpoint.bytes(), 8u);
    EXPECT_EQ(checkpoint.files().size(), 2u);
  }
}

TEST(Checkpoint, ATensorThatDoesNotLieAsItsTypeAsksIsCopied) {
  const testing::TempFolder folder;
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )";
  while (header.size() % 4 != 1) header += ' ';
  folder.write("model.safetensors", safetensors_file(header, floats({7})));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(checkpoint.find("a")->bytes.data()) % 4, 0u);
  EXPECT_EQ(value_of(checkpoint, "a"), 7);
}

TEST(Checkpoint, AFolderWithoutWeightsIsRefused) {
  const testing::TempFolder folder;
  EXPECT_THAT([&] { Checkpoint::open(folder.path()); }, ThrowsMessage<UserError>(HasSubstr("no weights found")));
}

TEST(Checkpoint, AGitLfsPointerIsRefused) {
  const testing::TempFolder folder;
  folder.write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
  EXPECT_THAT([&] { Checkpoint::open(folder.path()); }, ThrowsMessage<UserError>(HasSubstr("git lfs pull")));
}

TEST(Checkpoint, IndicesThatLieAreRefused) {
  const std::pair<std::string, const char*> indices[] = {
      {R"({"weight_map":{"a":"../model-1.safetensors"}})", "in the same folder"},
      {R"({"weight_map":{"a":"/etc/passwd"}})", "in the same folder"},
      {R"({"weight_map":{"a":"sub/model-1.safetensors"}})", "in the same folder"},
      {R"({"weight_map":{"a":".."}})", "in the same folder"},
      {R"({"weight_map":{"a":""}})", "in the same folder"},
      {R"({"weight_map":{"a":7}})", "in the same folder"},
      {R"({"weight_map":{"a":"model-1.safetensors","d":"model-3.safetensors"}})", "already in"},
      {R"({"weight_map":{}})", "weight_map"},
      {R"({"weight_map":[]})", "weight_map"},
      {"{}", "weight_map"},
      {"nonsense", "not valid JSON"},
  };
  for (const auto& [index, message] : indices) {
    const testing::TempFolder folder;
    folder.write("model-1.safetensors", safetensors_of("a", 1));
    folder.write("model-2.safetensors", safetensors_of("c", 1));
    folder.write("model-3.safetensors", safetensors_of("transformer.a", 1));
    folder.write("model.safetensors.index.json", index);
    EXPECT_THAT([&] { Checkpoint::open(folder.path()); }, ThrowsMessage<UserError>(HasSubstr(message))) << index;
  }
}

TEST(Checkpoint, RequireNamesWhatIsWrong) {
  const testing::TempFolder folder;
  folder.write("model.safetensors", safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                                     R"("i":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},)"
                                                     R"("d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}})",
                                                     floats({1, 2, 3, 4})));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const std::array<std::int64_t, 1> one{1};
  const std::array<std::int64_t, 2> two{1, 2};
  EXPECT_THAT([&] { checkpoint.require("b", one); }, ThrowsMessage<UserError>(HasSubstr("no tensor \"b\"")));
  EXPECT_THAT([&] { checkpoint.require("a", two); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("[1, 2]"), HasSubstr("found [1]"))));
  for (const auto& [name, found] : {std::pair{"i", "found i32"}, std::pair{"d", "found f64"}}) {
    EXPECT_THAT([&] { checkpoint.require(name, one); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("f32, f16 or bf16"), HasSubstr(found))));
  }
}

TEST(Checkpoint, WhatNobodyAsksForMayBeMissingOrOfAnyKind) {
  const testing::TempFolder folder;
  folder.write("model-1.safetensors", safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                                       R"("e":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[4,8]}})",
                                                       floats({1, 2})));
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"a":"model-1.safetensors","transformer.b":"model-1.safetensors",)"
               R"("c":"model-2.safetensors","e":"model-1.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_EQ(value_of(checkpoint, "a"), 1);
  EXPECT_EQ(checkpoint.tensors().size(), 1u);
  EXPECT_EQ(checkpoint.foreign().size(), 1u);
  for (const auto& [name, message] :
       {std::pair{"b", "should be in \"model-1.safetensors\", but is not there"},
        std::pair{"c", "should be in \"model-2.safetensors\", but there is no such file"}, std::pair{"e", "F8_E4M3"}}) {
    EXPECT_THAT([&] { value_of(checkpoint, name); }, ThrowsMessage<UserError>(HasSubstr(message)));
  }
  std::filesystem::create_symlink("gone", folder / "model-2.safetensors");
  EXPECT_THAT([&] { Checkpoint::open(folder.path()); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("model-2.safetensors"), HasSubstr("link"))));
}

TEST(Checkpoint, AnEmbeddingMayBeKeptAsTheHeadThatIsTiedToIt) {
  const testing::TempFolder folder;
  folder.write("model.safetensors", safetensors_of("lm_head.weight", 3));
  for (const char* config : {"{}", R"({"tie_word_embeddings":true})"}) {
    folder.write("config.json", config);
    EXPECT_EQ(value_of(Checkpoint::open(folder.path()), "word_embeddings.weight"), 3);
  }
  folder.write("config.json", R"({"tie_word_embeddings":false})");
  EXPECT_THAT([&] { value_of(Checkpoint::open(folder.path()), "word_embeddings.weight"); },
              ThrowsMessage<UserError>(HasSubstr("tie_word_embeddings")));
}

TEST(Checkpoint, WeightsOfOtherLibrariesAreNamed) {
  for (const auto& [file, name] : {std::pair{"m-q4.gguf", "GGUF"}, std::pair{"model.onnx", "ONNX"},
                                   std::pair{"openvino_model.xml", "OpenVINO"}, std::pair{"flax_model.msgpack", "Flax"},
                                   std::pair{"tf_model.h5", "TensorFlow"}, std::pair{"quantize_config.json", "GPTQ"}}) {
    const testing::TempFolder folder;
    folder.write(file, "x");
    EXPECT_THAT([&] { Checkpoint::open(folder.path()); },
                ThrowsMessage<UserError>(AllOf(HasSubstr(name), HasSubstr(file))));
  }
}

TEST(Checkpoint, AWholeTinyModelIsRead) {
  const testing::TempFolder folder;
  testing::TinyModel model;
  model.prefix = "transformer.";
  const Checkpoint checkpoint = Checkpoint::open(testing::write_tiny_model(folder / "model", model));
  EXPECT_EQ(checkpoint.tensors().size(), 5u + 12 * static_cast<std::size_t>(model.layers));
  EXPECT_TRUE(checkpoint.find("h.0.mlp.dense_h_to_4h.weight"));
}

TEST(CheckpointFixture, EveryModelIsWhole) {
  const auto folders = testing::fixtures("models");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const Checkpoint checkpoint = Checkpoint::open(folder);
    EXPECT_GT(checkpoint.tensors().size(), 5u) << folder;
    EXPECT_TRUE(checkpoint.find("word_embeddings.weight") || checkpoint.find("wte.weight")) << folder;
    EXPECT_TRUE(checkpoint.find("ln_f.bias")) << folder;
    std::size_t bytes = 0;
    for (const CheckpointTensor& tensor : checkpoint.tensors()) {
      EXPECT_FALSE(tensor.name.starts_with("transformer.")) << tensor.name;
      bytes += byte_count(tensor.shape, tensor.type).value();
    }
    EXPECT_EQ(bytes, checkpoint.bytes());
  }
}

}  // namespace
}  // namespace sgpt
