// LoRA from end to end: trained, described, embedded with as a model and as an adapter, merged, and refused where it
// has no place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_training.h"
#include "expected_tensors.h"

namespace sgpt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class LoraPrograms : public ::testing::TestWithParam<const char*> {
 protected:
  LoraPrograms() {
    run({"init", "--tokenizer", (home_ / "model" / "tokenizer.json").string(), "--output", base_.string(), "--hidden",
         "32", "--layers", "2", "--heads", "4", "--architecture", GetParam(), "--pooling", "lasttoken"});
  }

  static Outcome run(const std::vector<std::string>& words) {
    Outcome outcome = sgpt(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome;
  }
  std::vector<std::string> training(const std::string& target, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"train",
                                   "--model_name",
                                   base_.string(),
                                   "--train_data",
                                   (home_ / "data").string(),
                                   "--model_save_path",
                                   (home_ / target).string(),
                                   "--threads",
                                   "1",
                                   "--train_batch_size",
                                   "8",
                                   "--lr",
                                   "1e-2",
                                   "--pooling",
                                   "lasttoken"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::vector<float> embeddings(const std::filesystem::path& model, const std::vector<std::string>& more = {}) const {
    const std::filesystem::path file = home_ / "embeddings.npy";
    std::filesystem::remove(file);
    std::vector<std::string> words{"encode",
                                   "--model",
                                   model.string(),
                                   "--document",
                                   "--no_specb",
                                   "--input",
                                   (home_ / "data" / "corpus.jsonl").string(),
                                   "--output",
                                   file.string()};
    words.insert(words.end(), more.begin(), more.end());
    run(words);
    return numbers_in(file);
  }
  static std::vector<float> numbers_in(const std::filesystem::path& npy) {
    const std::string bytes = text_of(npy);
    constexpr std::size_t kHeader = 128;
    std::vector<float> values((bytes.size() - kHeader) / sizeof(float));
    std::memcpy(values.data(), bytes.data() + kHeader, values.size() * sizeof(float));
    return values;
  }

  SmallTraining home_;
  std::filesystem::path base_ = home_ / "base";
};

INSTANTIATE_TEST_SUITE_P(Families, LoraPrograms, ::testing::Values("bloom", "gpt2", "qwen3", "gemma3_text"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(LoraPrograms, AnAdapterIsTrainedUsedAndMerged) {
  run(training("lora", {"--lora_r", "4", "--lora_alpha", "16", "--gradcache", "--chunksize", "2"}));
  const std::filesystem::path adapter = home_ / "lora";
  const std::vector<float> found = embeddings(adapter), plain = embeddings(base_);
  EXPECT_NE(found, plain);
  EXPECT_EQ(embeddings(base_, {"--adapter", adapter.string()}), found);

  const Json told = Json::parse(run({"info", adapter.string(), "--json"}).out);
  EXPECT_EQ(told.at("architecture"), GetParam());
  EXPECT_EQ(told.at("adapter"), adapter.string());

  for (const bool as_model : {true, false}) {
    const std::filesystem::path merged = home_ / (as_model ? "merged" : "merged-too");
    std::vector<std::string> words{
        "convert", (as_model ? adapter : base_).string(), merged.string(), "--dtype", "f32", "--merge_adapter"};
    if (!as_model) words.insert(words.end(), {"--adapter", adapter.string()});
    run(words);
    EXPECT_FALSE(std::filesystem::exists(merged / "adapter_config.json"));
    EXPECT_EQ(embeddings(merged), found);
  }
}

/// Through sentence-transformers, which loads the adapter by PEFT.
TEST_P(LoraPrograms, PeftReadsWhatWasWritten) {
  if (run_command({"python3", "-c", "import peft, sentence_transformers"}).status != 0) {
    GTEST_SKIP() << "Python's peft and sentence-transformers are not installed here";
  }
  const std::filesystem::path adapter = home_ / "lora", texts = home_ / "texts.txt", program = home_ / "encode.py";
  run(training("lora", {"--lora_r", "4", "--lora_alpha", "16", "--use_rslora"}));
  std::ofstream(texts) << "how do bees find their way home\nthe weather\nred\n";
  std::ofstream(program)
      << "import sys\n"
         "from sentence_transformers import SentenceTransformer\n"
         "model = SentenceTransformer(sys.argv[1], device='cpu')\n"
         "assert 'lora' in str(model).lower() or any('lora' in n for n, _ in model.named_parameters())\n"
         "for line in open(sys.argv[2]):\n"
         "    print(*model.encode([line.strip()])[0])\n";
  const Outcome python = run_command({"python3", program.string(), adapter.string(), texts.string()});
  ASSERT_EQ(python.status, 0) << python.err;
  std::istringstream numbers(python.out);
  std::vector<float> expected;
  for (float number = 0; numbers >> number;) expected.push_back(number);
  const std::filesystem::path file = home_ / "texts.npy";
  run({"encode", "--model", adapter.string(), "--plain", "--no_specb", "--input", texts.string(), "--output",
       file.string()});
  expect_close(numbers_in(file), expected, 1e-4f, "embeddings");
}

TEST_P(LoraPrograms, WhatDoesNotGoTogetherIsSaid) {
  run(training("lora", {"--lora_r", "2", "--steps_per_epoch", "1", "--epochs", "1"}));
  const std::string adapter = (home_ / "lora").string();
  const auto expect_refused = [](const std::vector<std::string>& words, const std::string& what) {
    const Outcome outcome = sgpt(words);
    EXPECT_EQ(outcome.status, 2) << what;
    EXPECT_THAT(outcome.err, HasSubstr(what));
  };
  expect_refused({"convert", adapter, (home_ / "x").string(), "--dtype", "f32"}, "--merge_adapter");
  expect_refused({"convert", base_.string(), (home_ / "x").string(), "--dtype", "f32", "--merge_adapter"}, "--adapter");
  expect_refused({"info", adapter, "--adapter", adapter}, "is an adapter itself");
  expect_refused({"info", base_.string(), "--adapter", base_.string()}, "adapter_config.json");
  expect_refused(training("y", {"--lora_r", "2", "--freezenonbias"}), "--freezenonbias");
  expect_refused(training("y", {"--lora_r", "2", "--lora_dropout", "0.1"}), "--lora_dropout");
  expect_refused(training("y", {"--lora_alpha", "2"}), "--lora_r");
  expect_refused(training("y", {"--lora_r", "2", "--lora_targets", "nothing"}), "--lora_targets nothing");
}

}  // namespace
}  // namespace sgpt::testing
