// Training of LoRA as a run: what it writes, that it goes on with the same bits, checkpoints that are adapters, and an
// adapter that is trained further.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "expected_tensors.h"
#include "model/family_models.h"
#include "model/lora_config.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "temp_folder.h"
#include "tiny_model.h"
#include "train/checkpoint_models.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

class LoraRun : public ::testing::Test {
 protected:
  LoraRun() {
    testing::write_family_model(temp_ / "base", testing::tiny_architecture("qwen3", 32, 2, 4));
    std::string lines;
    for (const char* word : {"red", "green", "blue", "cyan", "black", "white", "grey"}) {
      lines += std::string(R"({"query": "what is )") + word + R"(", "positive": "the colour )" + word +
               R"(", "negative": "a thing"})" + "\n";
    }
    options_.train_data = temp_.write("data.jsonl", lines);
    options_.model = temp_ / "base";
    options_.output = temp_ / "trained";
    options_.pooling = PoolingMode::lasttoken;
    options_.max_seq_length = 32;
    options_.batch_size = 3;
    options_.epochs = 4;  // of three steps
    options_.warmup_steps = 2;
    options_.learning_rate = 1e-2;
    options_.query_prompt = "query: ";
    options_.lora = LoraOptions{.rank = 4, .alpha = 8};
  }

  std::string adapter(const fs::path& folder) const { return content(folder / "adapter_model.safetensors"); }

  /// The adapter of the same command, never broken off, under another name.
  std::string unbroken() {
    TrainOptions whole = options_;
    whole.output = temp_ / "whole";
    whole.checkpoints = false;
    whole.on_step = nullptr;
    fs::remove_all(whole.output);
    train(whole);
    return adapter(whole.output);
  }
  void run_until_killed(int steps) {
    TrainOptions killed = options_;
    killed.on_step = [&](const TrainStep& step) {
      if (step.step + 1 == steps) throw Killed();
    };
    EXPECT_THROW(train(killed), Killed);
  }
  std::vector<float> embedding(const fs::path& model, const EncoderOptions& options = {}) const {
    return Encoder::load(model, options).encode_queries(std::vector<std::string>{"what is red"}).values;
  }

  testing::TempFolder temp_;
  TrainOptions options_;
};

TEST_F(LoraRun, WritesWhatPeftReadsAndTheBaseStays) {
  const std::string before = content(temp_ / "base" / "model.safetensors");
  const TrainResult result = train(options_);
  EXPECT_EQ(content(temp_ / "base" / "model.safetensors"), before);
  const fs::path out = options_.output;
  EXPECT_FALSE(fs::exists(out / "config.json"));
  EXPECT_FALSE(fs::exists(out / "model.safetensors"));
  for (const char* file : {"modules.json", "1_Pooling/config.json", "tokenizer.json", "README.md",
                           "config_sentence_transformers.json", "sgpt_config.json"}) {
    EXPECT_TRUE(fs::exists(out / file)) << file;
  }
  const json config = json::parse(content(out / "adapter_config.json"));
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("task_type"), "FEATURE_EXTRACTION");
  EXPECT_EQ(config.at("r"), 4);
  EXPECT_EQ(config.at("lora_alpha"), 8);
  EXPECT_EQ(config.at("lora_dropout"), 0.0);
  EXPECT_EQ(config.at("inference_mode"), true);
  EXPECT_EQ(config.at("target_modules"),
            (json{"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}));
  EXPECT_EQ(config.at("base_model_name_or_path"), fs::weakly_canonical(temp_ / "base").string());
  const testing::Tensors tensors = testing::read_tensors(out / "adapter_model.safetensors");
  EXPECT_EQ(tensors.size(), 2u * 7u * 2u);
  std::size_t numbers = 0;
  for (const auto& [name, values] : tensors) {
    EXPECT_TRUE(name.starts_with("base_model.model.layers.")) << name;
    EXPECT_GT(*std::max_element(values.begin(), values.end()), 0) << name;  // B began with zeros
    numbers += values.size();
  }
  EXPECT_EQ(static_cast<std::int64_t>(numbers), result.trained_parameters);
  EXPECT_NE(embedding(out), embedding(temp_ / "base", {.pooling = {PoolingMode::lasttoken}}));
  EXPECT_EQ(embedding(out), embedding(temp_ / "base", {.adapter = out}));
  EXPECT_THAT(content(out / "README.md"), HasSubstr("LoRA, r 4, alpha 8"));
}

TEST_F(LoraRun, AKilledRunEndsWithTheSameBits) {
  for (const bool cached : {false, true}) {
    options_.grad_cache = cached;
    options_.chunk_size = 2;
    const std::string expected = unbroken();
    for (const int steps : {4, 8}) {
      fs::remove_all(options_.output);
      fs::remove_all(temp_ / "trained.checkpoints");
      options_.resume = false;
      run_until_killed(steps);
      options_.resume = true;
      EXPECT_EQ(train(options_).resumed_at, (steps - 1) / 3 * 3);
      EXPECT_EQ(adapter(options_.output), expected) << "killed at " << steps;
    }
  }
}

TEST_F(LoraRun, AnotherRankIsAnotherRun) {
  run_until_killed(5);
  options_.resume = true;
  options_.lora->rank = 2;
  EXPECT_THAT([&] { train(options_); }, ThrowsMessage<UserError>(HasSubstr("--lora_r")));
  options_.lora->rank = 4;
  options_.lora->rank_stabilised = true;
  EXPECT_THAT([&] { train(options_); }, ThrowsMessage<UserError>(HasSubstr("--use_rslora")));
  options_.lora.reset();
  EXPECT_THROW(train(options_), UserError);
}

TEST_F(LoraRun, EachCheckpointIsAnAdapter) {
  train(options_);
  const fs::path last = temp_ / "trained.checkpoints" / "step-12";
  EXPECT_EQ(adapter(last), adapter(options_.output));
  const std::vector<RunCheckpoint> all = checkpoints_of_run(options_.output);
  ASSERT_EQ(all.size(), 4u);
  const fs::path base = all.front().base_model();
  check_base_model(all.front(), base);
  EXPECT_EQ(embedding(base, encoder_options(all.back(), {})), embedding(options_.output));
  const fs::path taken = temp_ / "taken";
  save_checkpoint_model(all[1], base, taken);
  EXPECT_EQ(adapter(taken), adapter(temp_ / "trained.checkpoints" / "step-6"));
  EXPECT_EQ(embedding(taken), embedding(base, encoder_options(all[1], {})));
  EXPECT_NE(embedding(taken), embedding(options_.output));
}

TEST_F(LoraRun, AnAdapterIsTrainedFurther) {
  train(options_);
  TrainOptions further = options_;
  further.lora.reset();
  further.output = temp_ / "further";
  further.adapter = options_.output;
  train(further);
  EXPECT_NE(adapter(further.output), adapter(options_.output));
  // A model that is an adapter itself is the same.
  TrainOptions whole = further;
  whole.adapter.clear();
  whole.model = options_.output;
  whole.output = temp_ / "whole";
  train(whole);
  EXPECT_EQ(adapter(whole.output), adapter(further.output));
  EXPECT_EQ(content(whole.output / "adapter_config.json"), content(further.output / "adapter_config.json"));
  // Without a step of learning it stays as it is.
  TrainOptions idle = further;
  idle.learning_rate = 0;
  idle.output = temp_ / "idle";
  train(idle);
  EXPECT_EQ(adapter(idle.output), adapter(options_.output));
}

TEST_F(LoraRun, WhatAnAdapterHasNoPlaceForIsRefused) {
  const auto message = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions options = options_;
    change(options);
    try {
      train(options);
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message([](TrainOptions& o) { o.freeze_non_bias = true; }), HasSubstr("--freezenonbias"));
  EXPECT_THAT(message([](TrainOptions& o) { o.train_word_embeddings = true; }), HasSubstr("--unfreezewte"));
  EXPECT_THAT(message([](TrainOptions& o) { o.train_norms = true; }), HasSubstr("--train_norms"));
  EXPECT_THAT(message([](TrainOptions& o) { o.lora->targets = "c_attn"; }),
              AllOf(HasSubstr("--lora_targets"), HasSubstr("q_proj")));
  EXPECT_THAT(message([](TrainOptions& o) { o.lora->rank = 0; }), HasSubstr("--lora_r"));
  EXPECT_THAT(message([](TrainOptions& o) { o.lora.reset(), o.freeze_non_bias = true; }), HasSubstr("--lora_r"));
  train(options_);
  EXPECT_THAT(message([&](TrainOptions& o) { o.adapter = options_.output, o.output = temp_ / "other"; }),
              HasSubstr("--lora_r and --adapter"));
  EXPECT_THAT(message([&](TrainOptions& o) { o.model = options_.output, o.output = temp_ / "other"; }),
              HasSubstr("--lora_r and --adapter"));
}

TEST_F(LoraRun, TheNormsAloneAreTrainedWhereThatIsAskedFor) {
  options_.lora.reset();
  options_.train_norms = true;
  train(options_);
  const testing::Tensors before = testing::read_tensors(temp_ / "base" / "model.safetensors"),
                         after = testing::read_tensors(options_.output / "model.safetensors");
  for (const auto& [name, values] : before) {
    EXPECT_EQ(after.at(name) != values, name.find("norm") != name.npos) << name;
  }
}

}  // namespace
}  // namespace sgpt
