// The sentence-transformers folder: every version's spelling is read, what is not supported is refused by name.
#include "model/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/mapped_file.h"
#include "fixtures.h"
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

constexpr const char* kModules =
    R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},)"
    R"({"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])";

/// A tiny model, with one file put in place of what was there.
class Folder {
 public:
  explicit Folder(const std::string& name = "model") : path_(write_tiny_model(temp_ / name)) {}
  Folder& put(const std::string& file, std::string_view text) {
    fs::create_directories((path_ / file).parent_path());
    testing::tiny::write(path_ / file, text);
    return *this;
  }
  /// Puts more into config.json.
  Folder& configure(const std::string& entries) {
    std::string config(MappedFile(path_ / "config.json").text());
    return put("config.json", config.insert(config.find('{') + 1, entries + ","));
  }
  Folder& remove(const std::string& file) {
    fs::remove_all(path_ / file);
    return *this;
  }
  ModelFolder read() const { return read_model_folder(path_); }
  const fs::path& path() const { return path_; }

 private:
  TempFolder temp_;
  fs::path path_;
};

TEST(ModelFolder, ReadsTheOldKeys) {
  const ModelFolder model = Folder().read();
  EXPECT_TRUE(model.has_modules);
  EXPECT_EQ(model.name, "model");
  EXPECT_EQ(model.config.hidden, 32);
  EXPECT_THAT(model.pooling, ElementsAre(PoolingMode::weightedmean));
  EXPECT_EQ(model.max_seq_length, 64);
  EXPECT_FALSE(model.normalize);
  EXPECT_FALSE(model.lower_case);
  EXPECT_FALSE(model.brackets.has_value());
}

TEST(ModelFolder, ReadsTheKeysOfVersion6) {
  Folder folder;
  folder.put("modules.json",
             R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.base.modules.transformer.Transformer"},)"
             R"({"idx":1,"name":"1","path":"1_Pooling",)"
             R"("type":"sentence_transformers.sentence_transformer.modules.pooling.Pooling"},)"
             R"({"idx":2,"name":"2","path":"2_Normalize",)"
             R"("type":"sentence_transformers.base.modules.normalize.Normalize"}])");
  folder.put("1_Pooling/config.json",
             R"({"embedding_dimension":32,"pooling_mode":"mean_sqrt_len_tokens","include_prompt":true})");
  folder.put("sentence_bert_config.json", R"({"transformer_task":"feature-extraction"})");
  folder.put("tokenizer_config.json", R"({"model_max_length":123})");
  const ModelFolder model = folder.read();
  EXPECT_THAT(model.pooling, ElementsAre(PoolingMode::mean_sqrt_len));
  EXPECT_TRUE(model.normalize);
  EXPECT_EQ(model.max_seq_length, 123);
  folder.put("1_Pooling/config.json", R"({"embedding_dimension":32,"pooling_mode":["weightedmean","cls"]})");
  EXPECT_THAT(folder.read().pooling, ElementsAre(PoolingMode::weightedmean, PoolingMode::cls));
}

TEST(ModelFolder, SeveralOldModesStandInTheOrderOfConcatenation) {
  Folder folder;
  folder.put("1_Pooling/config.json",
             R"({"word_embedding_dimension":32,"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true,)"
             R"("pooling_mode_lasttoken":true,"pooling_mode_max_tokens":false})");
  EXPECT_THAT(folder.read().pooling, ElementsAre(PoolingMode::cls, PoolingMode::mean, PoolingMode::lasttoken));
}

TEST(ModelFolder, ALengthWithoutLimitMeans300) {
  Folder folder;
  folder.remove("sentence_bert_config.json");
  folder.put("tokenizer_config.json", R"({"model_max_length":1000000000000000019884624838656})");
  EXPECT_EQ(folder.read().max_seq_length, 300);
  folder.remove("tokenizer_config.json");
  EXPECT_EQ(folder.read().max_seq_length, 300);
}

TEST(ModelFolder, APlainCheckpointHasDefaults) {
  testing::TinyModel tiny;
  tiny.modules = false;
  const TempFolder temp;
  const ModelFolder model = read_model_folder(write_tiny_model(temp / "plain", tiny));
  EXPECT_FALSE(model.has_modules);
  EXPECT_THAT(model.pooling, ElementsAre(PoolingMode::weightedmean));
  EXPECT_FALSE(model.normalize);
}

TEST(ModelFolder, TheTransformerMayLieInASubFolder) {
  Folder folder;
  for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"}) {
    fs::create_directories(folder.path() / "0_Transformer");
    fs::rename(folder.path() / file, folder.path() / "0_Transformer" / file);
  }
  folder.put("modules.json",
             R"([{"idx":0,"name":"0","path":"0_Transformer","type":"sentence_transformers.models.Transformer"},)"
             R"({"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])");
  const ModelFolder model = folder.read();
  EXPECT_EQ(model.tokenizer_file(), folder.path() / "0_Transformer" / "tokenizer.json");
  EXPECT_EQ(model.max_seq_length, 64);
}

TEST(ModelFolder, BracketsAreKnownFromOurFileAndFromPublishedNames) {
  EXPECT_EQ(Folder().put("sgpt_config.json", R"({"brackets":true,"version":1})").read().brackets, true);
  EXPECT_EQ(Folder().put("sgpt_config.json", R"({"brackets":false,"version":1})").read().brackets, false);
  EXPECT_EQ(Folder("sgpt-bloom-7b1-msmarco").read().brackets, true);
  EXPECT_EQ(Folder("SGPT-125M-weightedmean-msmarco-specb-bitfit").read().brackets, true);
  EXPECT_FALSE(Folder("sgpt-bloom-1b7-nli").read().brackets.has_value());
  EXPECT_EQ(Folder("sgpt-bloom-7b1-msmarco").put("sgpt_config.json", R"({"brackets":false})").read().brackets, false);
  const Folder cached("models--bigscience--sgpt-bloom-7b1-msmarco/snapshots/0123abc");
  EXPECT_EQ(cached.read().brackets, true);
  EXPECT_EQ(cached.read().name, "bigscience/sgpt-bloom-7b1-msmarco");
  Folder named;
  named.put("config.json", R"({"model_type":"bloom","hidden_size":32,"n_layer":2,"n_head":4,"vocab_size":272,)"
                           R"("_name_or_path":"bigscience/sgpt-bloom-7b1-msmarco"})");
  EXPECT_EQ(named.read().brackets, true);
}

TEST(ModelFolder, ATrailingSlashIsNoPartOfTheName) {
  const Folder folder("some-model");
  EXPECT_EQ(read_model_folder(folder.path() / "").name, "some-model");
}

TEST(ModelFolder, InTheHubsCacheTheNameIsTheHubs) {
  const Folder folder("models--bigscience--sgpt-bloom-x-msmarco/snapshots/0123");
  const ModelFolder model = read_model_folder(folder.path() / "");
  EXPECT_EQ(model.name, "bigscience/sgpt-bloom-x-msmarco");
  EXPECT_EQ(file_name_of(model.name), "bigscience_sgpt-bloom-x-msmarco");
  EXPECT_EQ(model.brackets, true);
}

TEST(ModelFolder, ALinkWithoutItsTargetIsNoAbsentFile) {
  for (const char* file : {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config.json",
                           "sgpt_config.json", "config_sentence_transformers.json"}) {
    const Folder folder;
    std::filesystem::remove(folder.path() / file);
    std::filesystem::create_symlink("gone", folder.path() / file);
    EXPECT_THAT([&] { read_model_folder(folder.path()); },
                ThrowsMessage<UserError>(AllOf(HasSubstr(file), HasSubstr("gone"))));
  }
}

TEST(ModelFolder, TellsOfDropoutThatTrainingWouldApply) {
  Folder folder;
  EXPECT_EQ(folder.read().dropout, "");
  folder.configure(R"("hidden_dropout": 0.1, "attention_dropout": 0.0)");
  EXPECT_EQ(folder.read().dropout, "hidden_dropout 0.1");
}

TEST(ModelFolder, QuantizedWeightsOfOtherLibrariesAreNamed) {
  for (const auto& [entry, name] :
       {std::pair{R"("quantization_config": {"quant_method": "gptq", "bits": 4})", "gptq"},
        std::pair{R"("quantization_config": {"quant_method": "compressed-tensors"})", "compressed-tensors"},
        std::pair{R"("quantization_config": {"load_in_8bit": true})", "bitsandbytes"}}) {
    Folder folder;
    folder.configure(entry);
    EXPECT_THAT([&] { folder.read(); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("config.json: quantization_config"), HasSubstr(name))));
  }
  Folder ours;
  ours.configure(R"("quantization_config": {"quant_method": "sgpt"})");
  EXPECT_NO_THROW(ours.read());
}

struct BrokenFolder {
  const char* name;
  const char* file;
  std::string text;
  const char* message;
};

std::vector<BrokenFolder> broken_folders() {
  const auto with_type = [](const std::string& type) {
    return R"([{"path":"","type":"sentence_transformers.models.Transformer"},)"
           R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},{"path":"2_X","type":")" +
           type + "\"}]";
  };
  const auto with_path = [](const std::string& path) {
    return R"([{"path":")" + path +
           R"(","type":"sentence_transformers.models.Transformer"},)"
           R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])";
  };
  return {
      {"UnsupportedModule", "modules.json", with_type("sentence_transformers.models.LSTM"),
       "models.LSTM\" is not supported"},
      {"UnknownModule", "modules.json", with_type("custom_code.Evil"), "custom_code.Evil"},
      {"ForeignTransformer", "modules.json", with_type("custom_code.Normalize"), "custom_code.Normalize"},
      {"TwoPoolings", "modules.json", with_type("sentence_transformers.models.Pooling"), "in this order"},
      {"NoModules", "modules.json", "[]", "in this order"},
      {"ModulesNoList", "modules.json", "{}", "expected a list"},
      {"ModuleNoObject", "modules.json", "[1]", "needs a string"},
      {"ModuleWithoutPath", "modules.json", R"([{"type":"sentence_transformers.models.Transformer"}])", "path"},
      {"PathAbove", "modules.json", with_path("../other"), "inside the model's"},
      {"PathAboveInside", "modules.json", with_path("a/../../b"), "inside the model's"},
      {"PathAbsolute", "modules.json", with_path("/etc"), "inside the model's"},
      {"PoolingDimension", "1_Pooling/config.json",
       R"({"word_embedding_dimension":64,"pooling_mode_mean_tokens":true})", "hidden size"},
      {"PoolingAllOff", "1_Pooling/config.json", R"({"word_embedding_dimension":32,"pooling_mode_mean_tokens":false})",
       "at least one"},
      {"PoolingUnknown", "1_Pooling/config.json", R"({"pooling_mode":"attention"})", "attention"},
      {"PoolingUnknownOld", "1_Pooling/config.json", R"({"pooling_mode_attention":true})", "pooling_mode_attention"},
      {"PoolingTwice", "1_Pooling/config.json", R"({"pooling_mode":["mean","mean"]})", "once"},
      {"PoolingEmptyList", "1_Pooling/config.json", R"({"pooling_mode":[]})", "at least one"},
      {"PoolingNumber", "1_Pooling/config.json", R"({"pooling_mode":3})", "pooling_mode"},
      {"PoolingNotBool", "1_Pooling/config.json", R"({"pooling_mode_mean_tokens":"yes"})", "true or false"},
      {"LengthZero", "sentence_bert_config.json", R"({"max_seq_length":0})", "max_seq_length"},
      {"LengthHuge", "sentence_bert_config.json", R"({"max_seq_length":9223372036854775807})", "max_seq_length"},
      {"LengthText", "sentence_bert_config.json", R"({"max_seq_length":"300"})", "max_seq_length"},
      {"BracketsText", "sgpt_config.json", R"({"brackets":"on"})", "brackets"},
      {"LaterVersion", "sgpt_config.json", R"({"brackets":true,"version":2})", "version"},
      {"DefaultPromptNotThere", "config_sentence_transformers.json",
       R"({"prompts":{"query":"query: "},"default_prompt_name":"passage"})", "default_prompt_name"},
      {"PromptsNoObject", "config_sentence_transformers.json", R"({"prompts":["query: "]})", "prompts"},
      {"PromptNoString", "config_sentence_transformers.json", R"({"prompts":{"query":3}})", "\"query\""},
      {"UnknownSimilarity", "config_sentence_transformers.json", R"({"similarity_fn_name":"jaccard"})", "euclidean"},
      {"Adapter", "adapter_config.json", "{}", "PEFT"},
      {"AnotherFamily", "config.json", R"({"model_type":"t5"})", "t5"},
      {"ModulesNoJson", "modules.json", "[", "not valid JSON"},
  };
}

class BrokenFolders : public ::testing::TestWithParam<BrokenFolder> {};

TEST_P(BrokenFolders, AreRefusedNamingTheFile) {
  Folder folder;
  folder.put(GetParam().file, GetParam().text);
  EXPECT_THAT([&] { folder.read(); },
              ThrowsMessage<UserError>(AllOf(HasSubstr(GetParam().file), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenFolders, ::testing::ValuesIn(broken_folders()),
                         [](const auto& one_case) { return std::string(one_case.param.name); });

TEST(ModelFolder, MissingFilesAreNamed) {
  EXPECT_THAT([] { read_model_folder("/nowhere/model"); },
              ThrowsMessage<UserError>(HasSubstr("/nowhere/model: no such folder")));
  Folder folder;
  EXPECT_THAT([&] { read_model_folder(folder.path() / "config.json"); },
              ThrowsMessage<UserError>(HasSubstr("is no folder")));
  const TempFolder empty;
  EXPECT_THAT([&] { read_model_folder(empty.path()); }, ThrowsMessage<UserError>(HasSubstr("not a model folder")));
  folder.remove("1_Pooling");
  EXPECT_THAT([&] { folder.read(); }, ThrowsMessage<UserError>(HasSubstr("1_Pooling/config.json")));
  folder.put("modules.json", kModules).remove("config.json");
  EXPECT_THAT([&] { folder.read(); }, ThrowsMessage<UserError>(HasSubstr("config.json")));
}

TEST(ModelFolder, ReadsPromptsAndSimilarity) {
  Folder folder;
  folder.put("config_sentence_transformers.json",
             R"({"__version__":{},"prompts":{"query":"Q: ","document":null,"none":""},"default_prompt_name":"none",)"
             R"("similarity_fn_name":"dot","suffix":"!","model_type":"SentenceTransformer"})");
  const SentenceConfig read = folder.read().sentences;
  EXPECT_EQ(*read.prompts.find("query"), "Q: ");
  EXPECT_EQ(*read.prompts.find("document"), "");
  EXPECT_EQ(read.prompts.find("passage"), nullptr);
  EXPECT_THAT(read.prompts.names(), ElementsAre("query"));
  EXPECT_EQ(read.prompts.default_name, "none");
  EXPECT_EQ(read.similarity, Similarity::dot);
  EXPECT_THAT(read.unknown_keys, ElementsAre("suffix"));
}

TEST(ModelFolder, TheLengthIsTheTokenizersUnlessThereAreFewerPositions) {
  Folder folder;
  folder.remove("sentence_bert_config.json");
  folder.configure(R"("max_position_embeddings": 90)");
  folder.put("tokenizer_config.json", R"({"model_max_length":123})");
  EXPECT_EQ(folder.read().max_seq_length, 90);
  folder.put("tokenizer_config.json", R"({"model_max_length":80})");
  EXPECT_EQ(folder.read().max_seq_length, 80);
  folder.put("tokenizer_config.json", R"({"model_max_length":1e30})");
  EXPECT_EQ(folder.read().max_seq_length, 90);
  folder.put("sentence_bert_config.json", R"({"max_seq_length":100})");
  EXPECT_EQ(folder.read().max_seq_length, 100);
}

TEST(ModelFolderFixture, EveryModelIsRead) {
  const auto folders = testing::fixtures("models");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const ModelFolder model = read_model_folder(folder);
    EXPECT_TRUE(model.has_modules) << folder;
    EXPECT_EQ(model.name, folder.filename());
    EXPECT_GE(model.pooling.size(), 1u);
    EXPECT_GE(model.max_seq_length, 1);
    EXPECT_TRUE(fs::exists(model.tokenizer_file()));
  }
}

}  // namespace
}  // namespace sgpt
