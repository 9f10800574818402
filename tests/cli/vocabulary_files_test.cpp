// A model folder that has vocab.json and merges.txt and no tokenizer.json, as GPT-2's first repositories: what the
// program does with it is what it does with the tokenizer.json of the same tokens.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_training.h"
#include "fixtures.h"
#include "temp_folder.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class VocabularyFiles : public ::testing::Test {
 protected:
  VocabularyFiles() {
    for (const fs::path& model : fixtures("models")) {
      if (model.filename() == "golden-gpt2") fs::copy(model, whole(), fs::copy_options::recursive);
    }
    fs::copy(whole(), older(), fs::copy_options::recursive);
    const Json tokenizer = Json::parse(text_of(whole() / "tokenizer.json"));
    Json vocabulary = tokenizer.at("model").at("vocab");
    for (const Json& token : tokenizer.at("added_tokens")) vocabulary[token.at("content")] = token.at("id");
    std::ofstream(older() / "vocab.json") << vocabulary;
    std::ofstream merges(older() / "merges.txt");
    merges << "#version: 0.2\n";
    for (const Json& merge : tokenizer.at("model").at("merges")) {
      merges << merge.at(0).get<std::string>() << ' ' << merge.at(1).get<std::string>() << '\n';
    }
    fs::remove(older() / "tokenizer.json");
  }

  fs::path whole() const { return training_ / "whole"; }
  fs::path older() const { return training_ / "older"; }

  std::string embeddings(const fs::path& model) const {
    const fs::path file = training_ / (model.filename().string() + ".npy");
    const Outcome outcome = sgpt({"encode", "--model", model.string(), "--document", "--no_specb", "--input",
                                  (training_ / "data" / "corpus.jsonl").string(), "--output", file.string()});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return text_of(file);
  }

  fs::path trained(const fs::path& model) const {
    const fs::path target = training_ / ("trained-" + model.filename().string());
    const Outcome outcome = sgpt({"train", "--model_name", model.string(), "--train_data",
                                  (training_ / "data").string(), "--model_save_path", target.string(),
                                  "--freezenonbias", "--train_batch_size", "8", "--threads", "1", "--lr", "1e-3"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return target;
  }

  SmallTraining training_;
};

TEST_F(VocabularyFiles, EmbedAndTrainAsTheTokenizerJsonDoes) {
  ASSERT_TRUE(fs::exists(whole() / "config.json")) << "the golden model is not among the fixtures";
  EXPECT_EQ(embeddings(older()), embeddings(whole()));
  const fs::path from_older = trained(older()), from_whole = trained(whole());
  EXPECT_EQ(text_of(from_older / "model.safetensors"), text_of(from_whole / "model.safetensors"));
  EXPECT_TRUE(fs::exists(from_older / "merges.txt"));
  EXPECT_FALSE(fs::exists(from_older / "tokenizer.json"));
  EXPECT_EQ(embeddings(from_older), embeddings(from_whole));
}

TEST_F(VocabularyFiles, OneOfTheTwoAloneIsRefused) {
  fs::remove(older() / "merges.txt");
  const Outcome outcome = sgpt({"tokenize", "--model", older().string(), "--input", "-"}, "{\"text\": \"a\"}\n");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("merges.txt is missing"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace sgpt::testing
