// What the files of a model are called, and which others they name.
#include "formats/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::ThrowsMessage;

TEST(ModelFiles, AnIndexNamesFilesOfItsOwnFolder) {
  const testing::TempFolder folder;
  const auto index = folder.write("i.json", R"({"weight_map": {"b": "2", "a": "1", "c": "2"}})");
  EXPECT_THAT(read_weight_index(index).files, ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "2")));
  EXPECT_THAT(read_weight_index(index).shards(), ElementsAre("1", "2"));
  for (const char* bad : {R"("../1")", R"("/1")", R"("a/1")", R"("")", R"("..")", "7"}) {
    folder.write("i.json", R"({"weight_map": {"a": )" + std::string(bad) + "}}");
    EXPECT_THAT([&] { read_weight_index(index); }, ThrowsMessage<UserError>(HasSubstr("same folder"))) << bad;
  }
}

TEST(ModelFiles, ModulesHaveFoldersInsideTheModels) {
  const testing::TempFolder folder;
  const auto file = folder.write("m.json", R"([{"type": "a.T", "path": ""}, {"type": "a.P", "path": "./1_Pooling/"}])");
  const auto modules = read_modules_json(file);
  ASSERT_EQ(modules.size(), 2u);
  EXPECT_EQ(modules[0].path, "");
  EXPECT_EQ(modules[1].path, "1_Pooling");
  EXPECT_EQ(modules[1].type, "a.P");
  for (const char* bad : {"..", "/etc", "a/../../b"}) {
    folder.write("m.json", R"([{"type": "a.T", "path": ")" + std::string(bad) + "\"}]");
    EXPECT_THAT([&] { read_modules_json(file); }, ThrowsMessage<UserError>(HasSubstr("inside the model's"))) << bad;
  }
}

TEST(ModelFiles, OtherFormatsAreKnownByTheirNames) {
  EXPECT_EQ(foreign_weights({"README.md", "model.safetensors"}), "");
  EXPECT_THAT(foreign_weights({"a.txt", "onnx/model.onnx"}), AllOf(HasSubstr("onnx/model.onnx"), HasSubstr("ONNX")));
  EXPECT_THAT(foreign_weights({"adapter_config.json", "adapter_model.safetensors"}), HasSubstr("--adapter"));
  EXPECT_THAT(foreign_weights({"q4_k_m.gguf"}), HasSubstr("GGUF"));
}

}  // namespace
}  // namespace sgpt
