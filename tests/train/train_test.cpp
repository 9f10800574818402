// sgpt::train from files to files: the folder that comes out, its bits, the log, and what is refused before it starts.
#include "sgpt/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include <nlohmann/json.hpp>

#include "encode/encoder_parts.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class TrainTest : public ::testing::Test {
 protected:
  TrainTest() {
    options_.model = testing::write_tiny_model(temp_.path() / "model", {.prefix = "transformer."});
    std::string lines;
    for (const char* word : {"red", "green", "blue", "cyan", "black", "white", "grey"}) {
      lines += std::string(R"({"query": "what is )") + word + R"(", "positive": "the colour )" + word +
               R"(", "negative": "a thing"})" + "\n";
    }
    options_.train_data = temp_.write("data.jsonl", lines);
    options_.output = temp_ / "trained";
    options_.pooling = PoolingMode::weightedmean;
    options_.brackets = true;
    options_.freeze_non_bias = true;
    options_.max_seq_length = 32;
    options_.batch_size = 3;
    options_.epochs = 2;
    options_.warmup_steps = 2;
    options_.learning_rate = 1e-2;
  }

  std::string message() const {
    try {
      train(options_);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  testing::TempFolder temp_;
  TrainOptions options_;
};

TEST_F(TrainTest, WritesAFolderThatEncodesAsItWasTrained) {
  const TrainResult result = train(options_);
  EXPECT_EQ(result.steps, 6);
  EXPECT_EQ(result.examples, 7);
  const ModelFolder folder = read_model_folder(options_.output);
  EXPECT_TRUE(folder.has_modules);
  EXPECT_EQ(folder.pooling, std::vector{PoolingMode::weightedmean});
  EXPECT_EQ(folder.brackets, true);
  EXPECT_EQ(folder.max_seq_length, 32);
  const std::vector<std::string> texts{"what is red"};
  const Embeddings before = Encoder::load(options_.model, {.brackets = true}).encode_queries(texts);
  const Embeddings after = Encoder::load(options_.output).encode_queries(texts);
  ASSERT_EQ(before.values.size(), after.values.size());
  EXPECT_NE(before.values, after.values);
}

TEST_F(TrainTest, PromptsStandBeforeTextsAndAreSaved) {
  options_.brackets = false;
  options_.query_prompt = "query:\n";
  options_.document_prompt = "";
  testing::tiny::write(options_.model / "config_sentence_transformers.json",
                       R"({"prompts":{"document":"D: ","sts":"S: "},"similarity_fn_name":"dot"})");
  train(options_);
  const SentenceConfig saved = read_model_folder(options_.output).sentences;
  EXPECT_EQ(*saved.prompts.find("query"), "query:\n");
  EXPECT_EQ(*saved.prompts.find("document"), "");
  EXPECT_EQ(*saved.prompts.find("sts"), "S: ");
  EXPECT_EQ(saved.similarity, Similarity::cosine);
  const Encoder encoder = Encoder::load(options_.output);
  EXPECT_EQ(encoder.tokenize("red", TextKind::query), encoder.parts().preparation.tokenizer().encode("query:\nred"));
  EXPECT_EQ(encoder.tokenize("red", TextKind::document), encoder.parts().preparation.tokenizer().encode("red"));

  // The same texts with the prompt written into them train the same model.
  std::string text = content(options_.train_data);
  for (std::size_t at = 0; (at = text.find("what is", at)) != text.npos; at += 16) text.insert(at, "query: ");
  const std::string with_prompt = content(options_.output / "model.safetensors");
  options_.train_data = temp_.write("with_prompt.jsonl", text);
  options_.query_prompt = "";
  options_.output = temp_ / "again";
  train(options_);
  const std::string written = content(options_.output / "model.safetensors");
  options_.query_prompt = "query: ";
  options_.train_data = temp_ / "data.jsonl";
  options_.output = temp_ / "once_more";
  train(options_);
  EXPECT_EQ(content(options_.output / "model.safetensors"), written);
  EXPECT_NE(with_prompt, written);
}

TEST_F(TrainTest, TheModelsOwnPromptsAreTrainedWithAndKept) {
  options_.brackets = false;
  testing::tiny::write(options_.model / "config_sentence_transformers.json", R"({"prompts":{"query":"Q: "}})");
  train(options_);
  EXPECT_EQ(*read_model_folder(options_.output).sentences.prompts.find("query"), "Q: ");
  const std::string own = content(options_.output / "model.safetensors");
  options_.query_prompt = "Q: ";
  options_.output = temp_ / "given";
  train(options_);
  EXPECT_EQ(content(options_.output / "model.safetensors"), own);
}

TEST_F(TrainTest, PromptsAndBracketsRefuseEachOtherAndADenseModuleIsRefused) {
  options_.query_prompt = "query: ";
  EXPECT_THAT(message(), HasSubstr("--specb"));
  options_.query_prompt.reset();
  std::filesystem::create_directories(options_.model / "2_Dense");
  testing::tiny::write(options_.model / "2_Dense/config.json", R"({"in_features":32,"out_features":8})");
  testing::tiny::write(options_.model / "modules.json",
                       R"([{"path":"","type":"sentence_transformers.models.Transformer"},)"
                       R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},)"
                       R"({"path":"2_Dense","type":"sentence_transformers.models.Dense"}])");
  EXPECT_THAT(message(), HasSubstr("2_Dense"));
}

TEST_F(TrainTest, FrozenTensorsKeepTheirBytesAndTrainedOnesMove) {
  train(options_);
  const Checkpoint before = Checkpoint::open(options_.model);
  const Checkpoint after = Checkpoint::open(options_.output);
  EXPECT_EQ(before.tensors().size(), after.tensors().size());
  for (const CheckpointTensor& tensor : after.tensors()) {
    const CheckpointTensor* source = before.find(tensor.name);
    ASSERT_TRUE(source) << tensor.name;
    EXPECT_EQ(tensor.shape, source->shape);
    const bool same = std::equal(tensor.bytes.begin(), tensor.bytes.end(), source->bytes.begin(), source->bytes.end());
    EXPECT_EQ(same, tensor.name.find("bias") == std::string::npos) << tensor.name;
  }
}

TEST_F(TrainTest, FrozenTensorsOfAFileWithAnOddHeaderKeepTheirBytes) {
  const std::filesystem::path file = options_.model / "model.safetensors";
  std::string bytes = content(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes.insert(sizeof length + length, 1, ' ');  // the tensors are not aligned any more
  ++length;
  std::memcpy(bytes.data(), &length, sizeof length);
  std::ofstream(file, std::ios::binary) << bytes;
  train(options_);
  const Checkpoint before = Checkpoint::open(options_.model);
  const Checkpoint after = Checkpoint::open(options_.output);
  const auto embedding = [](const Checkpoint& checkpoint) { return checkpoint.find("word_embeddings.weight")->bytes; };
  ASSERT_GT(embedding(before).size(), std::size_t{8192});  // several pages
  EXPECT_TRUE(std::equal(embedding(before).begin(), embedding(before).end(), embedding(after).begin()));
}

TEST_F(TrainTest, TheSameCommandGivesTheSameFile) {
  options_.grad_cache = true;
  options_.chunk_size = 2;
  train(options_);
  const std::string first = content(options_.output / "model.safetensors");
  options_.output = temp_ / "again";
  options_.activation_memory = 0;  // nor does it matter what is computed twice
  train(options_);
  EXPECT_EQ(content(options_.output / "model.safetensors"), first);
  options_.output = temp_ / "one_thread";
  options_.threads = 1;
  train(options_);
  EXPECT_EQ(content(options_.output / "model.safetensors"), first);
  options_.output = temp_ / "other_seed";
  options_.seed = 1;
  train(options_);
  EXPECT_NE(content(options_.output / "model.safetensors"), first);
}

TEST_F(TrainTest, LogsEveryStep) {
  options_.log_file = temp_ / "log.jsonl";
  std::vector<TrainStep> steps;
  options_.on_step = [&](const TrainStep& step) { steps.push_back(step); };
  const TrainResult result = train(options_);
  ASSERT_EQ(steps.size(), 6u);
  std::ifstream in(options_.log_file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    ASSERT_LT(count, steps.size());
    const auto logged = nlohmann::json::parse(line);
    EXPECT_EQ(logged["step"], count);
    EXPECT_EQ(logged["loss"].get<double>(), steps[count].loss);
    EXPECT_EQ(logged["gradient_norm"].get<double>(), steps[count].gradient_norm);
    EXPECT_EQ(logged["lr"].get<double>(), steps[count].learning_rate);
    EXPECT_GT(logged["tokens_per_second"].get<double>(), 0);
  }
  EXPECT_EQ(count, 6u);
  EXPECT_EQ(steps.front().learning_rate, 0);
  EXPECT_EQ(steps.back().total_steps, 6);
  EXPECT_EQ(result.last_loss, steps.back().loss);
}

TEST_F(TrainTest, StepsOfAnEpochCanBeSaid) {
  options_.steps_per_epoch = 5;  // more than the data has: it begins again
  EXPECT_EQ(train(options_).steps, 10);
}

TEST_F(TrainTest, RefusesAnOutputThatIsThereBeforeItTrains) {
  std::filesystem::create_directories(options_.output);
  std::ofstream(options_.output / "precious") << "1";
  options_.on_step = [](const TrainStep&) { FAIL() << "training began"; };
  EXPECT_THAT(message(), HasSubstr("trained"));
  EXPECT_EQ(content(options_.output / "precious"), "1");
}

TEST_F(TrainTest, NothingIsLeftBehindWhenTrainingGoesAstray) {
  options_.learning_rate = 1e30;
  options_.epochs = 50;
  EXPECT_THAT(message(), HasSubstr("--lr"));
  EXPECT_FALSE(std::filesystem::exists(options_.output));
}

TEST_F(TrainTest, RefusesOptionsOutOfRange) {
  const auto expect = [&](const std::function<void(TrainOptions&)>& change, const char* name) {
    const TrainOptions before = options_;
    change(options_);
    EXPECT_THAT(message(), HasSubstr(name));
    options_ = before;
  };
  expect([](TrainOptions& o) { o.batch_size = 0; }, "--train_batch_size");
  expect([](TrainOptions& o) { o.epochs = -1; }, "--epochs");
  expect([](TrainOptions& o) { o.chunk_size = -1; }, "--chunksize");
  expect([](TrainOptions& o) { o.max_gradient_norm = 0; }, "--max_grad_norm");
  expect([](TrainOptions& o) { o.learning_rate = -1; }, "--lr");
  expect([](TrainOptions& o) { o.scheduler = "linear"; }, "linear");
  expect([](TrainOptions& o) { o.backend = "abacus"; }, "abacus");
  expect([](TrainOptions& o) { o.model = "absent"; }, "absent");
  expect([](TrainOptions& o) { o.train_data = "absent.jsonl"; }, "absent.jsonl");
  expect([](TrainOptions& o) { o.log_file = "absent/log.jsonl"; }, "--log_file");
  expect(
      [](TrainOptions& o) {
        o.freeze = true;
        o.freeze_non_bias = false;
      },
      "nothing is left to train");
  EXPECT_FALSE(std::filesystem::exists(options_.output));
}

}  // namespace
}  // namespace sgpt
