// The memory that sgpt info plans, beside what the program takes at its peak; and what happens where it cannot fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "cli/program.h"
#include "sanitizers.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr double kNear = 0.15;

/// A model of 19 million parameters, in f32 and bf16, and texts that are all cut to its 32 tokens.
class PlannedMemory : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempFolder;
    write_tiny_tokenizer(*home_ / "tokenizer.json");
    ASSERT_EQ(sgpt({"init", "--output", at("f32"), "--tokenizer", at("tokenizer.json"), "--hidden", "512", "--layers",
                    "6", "--heads", "8", "--max_seq_length", "32"})
                  .status,
              0);
    ASSERT_EQ(sgpt({"convert", at("f32"), at("bf16"), "--dtype", "bf16"}).status, 0);
    std::ofstream corpus(*home_ / "corpus.jsonl");
    std::ofstream queries(*home_ / "queries.jsonl");
    for (int i = 0; i < 64; ++i) {
      const std::string text =
          "a long text of many letters that is cut to as many tokens as all of them have " + std::to_string(i);
      corpus << R"({"_id":")" << i << R"(","title":"","text":")" << text << "\"}\n";
      queries << R"({"_id":")" << i << R"(","text":")" << text << "\"}\n";
    }
  }
  static void TearDownTestSuite() {
    delete home_;
    home_ = nullptr;
  }
  static std::string at(const std::string& name) { return (*home_ / name).string(); }

  static Json json_of(const std::vector<std::string>& arguments) {
    const Outcome outcome = sgpt(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Json::parse(outcome.out);
  }

  static void expect_near(const Json& plan, const Json& measured) {
    const auto planned = plan.at("total_bytes").get<double>();
    const auto peak = measured.at("peak_rss_bytes").get<double>();
    EXPECT_NEAR(planned / peak, 1, kNear) << "planned " << plan.dump() << ", measured " << measured.dump();
  }

  inline static TempFolder* home_ = nullptr;
};

class MeasuredMemory : public PlannedMemory {
  void SetUp() override {
    if (kAddressSanitizer) GTEST_SKIP() << "AddressSanitizer takes memory of its own";
  }
};

TEST_F(MeasuredMemory, OfEncodingIsAsPlanned) {
  for (const char* model : {"f32", "bf16"}) {
    expect_near(json_of({"info", at(model), "--json", "--token_budget", "2048"}).at("memory").at("encode"),
                json_of({"bench", "encode", "--json", "--model", at(model), "--data_path", at(""), "--docs", "64",
                         "--token_budget", "2048"}));
  }
}

TEST_F(MeasuredMemory, OfAStepIsAsPlanned) {
  for (const char* model : {"f32", "bf16"}) {
    for (const char* memory : {"0", "20000000", "1000000000"}) {
      expect_near(json_of({"info", at(model), "--json", "--train_batch_size", "8", "--chunksize", "2",
                           "--activation_memory", memory})
                      .at("memory")
                      .at("train_biases"),
                  json_of({"bench", "train", "--json", "--model", at(model), "--data_path", at(""), "--batch", "8",
                           "--chunksize", "2", "--activation_memory", memory}));
    }
  }
}

TEST_F(MeasuredMemory, OfAStepInBf16IsAsPlanned) {
  if (!make_backend("cpu")->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  for (const char* model : {"f32", "bf16"}) {
    expect_near(json_of({"info", at(model), "--json", "--train_batch_size", "8", "--chunksize", "2",
                         "--activation_memory", "20000000", "--dtype", "bf16"})
                    .at("memory")
                    .at("train_biases"),
                json_of({"bench", "train", "--json", "--model", at(model), "--data_path", at(""), "--batch", "8",
                         "--chunksize", "2", "--activation_memory", "20000000", "--dtype", "bf16"}));
  }
}

TEST_F(PlannedMemory, InfoShowsItForPeople) {
  EXPECT_THAT(sgpt({"info", at("bf16"), "--train_batch_size", "16"}).out,
              AllOf(HasSubstr("to encode, 2048 tokens at once"), HasSubstr("to train biases (--freezenonbias)"),
                    HasSubstr("batches of 16 triplets of 32 tokens")));
}

TEST_F(PlannedMemory, ModelsBeyondAnyMachineAreRefusedBeforeTheyAreLoaded) {
  // A configuration of 13 billion numbers a layer; the weights are holes in a file.
  const TempFolder temp;
  write_tiny_tokenizer(temp / "tokenizer.json");
  temp.write("config.json", R"({"model_type":"bloom","hidden_size":32768,"n_layer":70,"n_head":32,"vocab_size":272})");
  temp.write("model.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  // As int8 they are copied; f32 is read where it lies.
  const Outcome outcome = sgpt({"encode", "--document", "--dtype", "int8", "--model", temp.path().string(), "--input",
                                at("corpus.jsonl"), "--output", (temp / "out.npy").string()});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("the model takes about 9"), HasSubstr("GB of memory, but only")));
}

TEST_F(PlannedMemory, ChunksizeAutoTellsWhatItChose) {
  std::ofstream(*home_ / "train.jsonl") << R"({"query":"a b","positive":"c d"})" << '\n'
                                        << R"({"query":"e f","positive":"g h"})" << '\n';
  const Outcome outcome = sgpt({"train", "--model_name", at("f32"), "--train_data", at("train.jsonl"),
                                "--model_save_path", at("trained"), "--freezenonbias", "--gradcache", "--chunksize",
                                "auto", "--train_batch_size", "2", "--epochs", "1", "--no_checkpoints"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("GradCache: chunks of 2; --chunksize 2 repeats this run"));
  EXPECT_EQ(sgpt({"train", "--model_name", at("f32"), "--train_data", at("train.jsonl"), "--model_save_path",
                  at("other"), "--gradcache", "--chunksize", "much"})
                .status,
            2);
}

}  // namespace
}  // namespace sgpt::testing
