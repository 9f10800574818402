// New models of today's families from end to end: made, described, embedded with, converted and trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_training.h"
#include "expected_tensors.h"

namespace sgpt::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class TodayPrograms : public ::testing::TestWithParam<const char*> {
 protected:
  TodayPrograms() {
    const Outcome made = sgpt({"init", "--tokenizer", (home_ / "model" / "tokenizer.json").string(), "--output",
                               model_.string(), "--hidden", "32", "--layers", "3", "--heads", "4", "--architecture",
                               GetParam(), "--pooling", "lasttoken"});
    EXPECT_EQ(made.status, 0) << made.err;
  }

  std::string embeddings(const std::filesystem::path& model) const {
    const std::filesystem::path file = home_ / "embeddings.npy";
    std::filesystem::remove(file);
    const Outcome outcome = sgpt({"encode", "--model", model.string(), "--document", "--no_specb", "--input",
                                  (home_ / "data" / "corpus.jsonl").string(), "--output", file.string()});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return text_of(file);
  }
  Outcome train(const std::string& target, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"train",
                                   "--model_name",
                                   model_.string(),
                                   "--train_data",
                                   (home_ / "data").string(),
                                   "--model_save_path",
                                   (home_ / target).string(),
                                   "--threads",
                                   "1",
                                   "--train_batch_size",
                                   "8",
                                   "--lr",
                                   "1e-3",
                                   "--pooling",
                                   "lasttoken"};
    words.insert(words.end(), more.begin(), more.end());
    return sgpt(words);
  }
  Tensors weights(const std::filesystem::path& model) const { return read_tensors(model / "model.safetensors"); }

  SmallTraining home_;
  std::filesystem::path model_ = home_ / "today";
};

INSTANTIATE_TEST_SUITE_P(Families, TodayPrograms,
                         ::testing::Values("llama", "mistral", "qwen2", "qwen3", "gemma3_text"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(TodayPrograms, AreDescribedAndConverted) {
  const Outcome info = sgpt({"info", model_.string(), "--json"});
  ASSERT_EQ(info.status, 0) << info.err;
  const Json told = Json::parse(info.out);
  EXPECT_EQ(told.at("architecture"), GetParam());
  EXPECT_EQ(told.at("memory").at("train_biases").is_null(), std::string(GetParam()) != "qwen2");
  EXPECT_FALSE(told.at("memory").at("train_all").is_null());
  for (const char* type : {"bf16", "int8"}) {
    const std::filesystem::path converted = home_ / type;
    const Outcome outcome = sgpt({"convert", model_.string(), converted.string(), "--dtype", type});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(embeddings(converted).size(), embeddings(model_).size());
  }
}

TEST_P(TodayPrograms, AreTrainedInFull) {
  const Outcome outcome = train("full", {});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Tensors before = weights(model_), after = weights(home_ / "full");
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [name, values] : before) EXPECT_NE(after.at(name), values) << name;
  EXPECT_NE(embeddings(home_ / "full"), embeddings(model_));
}

TEST_P(TodayPrograms, TheWordEmbeddingAloneIsTrainedWhereThatIsAskedFor) {
  const Outcome outcome = train("embedding", {"--freeze", "--unfreezewte"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Tensors before = weights(model_), after = weights(home_ / "embedding");
  for (const auto& [name, values] : before) {
    EXPECT_EQ(after.at(name) != values, name.ends_with("embed_tokens.weight")) << name;
  }
}

TEST_P(TodayPrograms, BiasesAreTrainedWhereThereAreSome) {
  const Outcome outcome = train("biases", {"--freezenonbias"});
  if (std::string(GetParam()) == "qwen2") {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return;
  }
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("has no biases"));
  EXPECT_FALSE(std::filesystem::exists(home_ / "biases"));
}

}  // namespace
}  // namespace sgpt::testing
