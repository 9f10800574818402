// PEFT's adapters: what is read of them and what is refused by name, and merged weights against PEFT's own.
#include "model/lora_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "expected_tensors.h"
#include "family_models.h"
#include "fixtures.h"
#include "model/lora_config.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempFolder;
using ::testing::ThrowsMessage;

constexpr float kTolerance = 1e-6f;  // of the largest of a matrix

/// Of an adapter over its base, every matrix that PEFT merged.
void expect_merged(const fs::path& base, const fs::path& adapter, const fs::path& expected) {
  ModelFolder folder = read_model_folder(base, adapter);
  const Checkpoint merged = open_weights(folder);
  const testing::Tensors golden = testing::read_tensors(expected);
  ASSERT_FALSE(golden.empty());
  for (const auto& [name, want] : golden) {
    const std::string bare = name.starts_with("model.") ? name.substr(6) : name;
    const CheckpointTensor* tensor = merged.find(bare);
    ASSERT_TRUE(tensor) << name;
    ASSERT_EQ(tensor->type, DType::f32);
    testing::expect_close({reinterpret_cast<const float*>(tensor->bytes.data()), want.size()}, want, kTolerance, name);
  }
}

TEST(LoraFixture, MergedWeightsAreThoseOfPeft) {
  std::vector<fs::path> adapters = testing::today_fixtures("adapters");
  if (adapters.empty()) GTEST_SKIP() << "no adapters among the fixtures";
  for (const fs::path& adapter : adapters) {
    SCOPED_TRACE(adapter.string());
    const auto base = local_base(adapter);
    ASSERT_TRUE(base);
    expect_merged(*base, adapter, adapter / "merged.safetensors");
  }
}

TEST(LoraFixture, WhatPeftTrainedIsMergedAsPeftDoes) {
  int compared = 0;
  for (const fs::path& model : testing::today_fixtures("models")) {
    if (!fs::exists(model / "train_lora_final")) continue;
    SCOPED_TRACE(model.string());
    expect_merged(model, model / "train_lora_final", model / "train_lora_merged.safetensors");
    ++compared;
  }
  if (compared == 0) GTEST_SKIP() << "no LoRA was trained in the fixtures";
}

/// A tiny Qwen3 and an adapter of one of its matrices.
class AdapterFolder : public ::testing::Test {
 protected:
  AdapterFolder() {
    testing::write_family_model(folder_.path() / "base", architecture_);
    fs::create_directories(adapter_);
    config_ = {{"peft_type", "LORA"}, {"r", 2}, {"lora_alpha", 4}, {"base_model_name_or_path", "../base"}};
    add("base_model.model.layers.0.self_attn.q_proj.lora_A.weight", {2, kIn});
    add("base_model.model.layers.0.self_attn.q_proj.lora_B.weight", {kOut, 2});
  }

  void add(const std::string& name, std::vector<std::int64_t> shape, DType type = DType::f32) {
    tensors_.push_back({name, type, std::move(shape), {}, [](std::uint64_t, std::span<std::byte> piece) {
                          for (std::size_t i = 0; i + 4 <= piece.size(); i += 4) {
                            const float value = 0.01f * static_cast<float>(i % 28);
                            std::memcpy(piece.data() + i, &value, sizeof value);
                          }
                        }});
  }
  void write() const {
    std::ofstream(adapter_ / "adapter_config.json") << config_.dump();
    fs::remove(adapter_ / "adapter_model.safetensors");
    write_safetensors(adapter_ / "adapter_model.safetensors", tensors_);
  }
  Checkpoint merged() const {
    write();
    return open_weights(read_model_folder(adapter_));
  }
  void expect_refused(const std::string& what) const {
    EXPECT_THAT([&] { merged(); }, ThrowsMessage<UserError>(HasSubstr(what)));
  }

  static constexpr std::int64_t kIn = 32;
  TempFolder folder_;
  fs::path adapter_ = folder_.path() / "adapter";
  Architecture architecture_ = testing::tiny_architecture("qwen3", kIn, 2, 4);
  const std::int64_t kOut = architecture_.query_width();
  json config_;
  std::vector<TensorToWrite> tensors_;
};

TEST_F(AdapterFolder, ItsBaseIsFoundBesideIt) {
  const ModelFolder folder = (write(), read_model_folder(adapter_));
  EXPECT_EQ(folder.adapter, adapter_);
  EXPECT_EQ(fs::weakly_canonical(folder.transformer), fs::weakly_canonical(folder_.path() / "base"));
  EXPECT_EQ(folder.name, "adapter");
  const Checkpoint plain = Checkpoint::open(folder_.path() / "base"), with = merged();
  std::size_t changed = 0;
  for (const CheckpointTensor& tensor : plain.tensors()) {
    const CheckpointTensor* other = with.find(tensor.name);
    ASSERT_TRUE(other);
    const bool same = std::equal(tensor.bytes.begin(), tensor.bytes.end(), other->bytes.begin());
    EXPECT_EQ(same, tensor.name != "layers.0.self_attn.q_proj.weight") << tensor.name;
    changed += same ? 0 : 1;
  }
  EXPECT_EQ(changed, 1u);
  EXPECT_EQ(with.replaced_bytes(), static_cast<std::size_t>(kOut * kIn) * sizeof(float));
}

TEST_F(AdapterFolder, AnEmbeddingIsAdaptedByItsRows) {
  tensors_.clear();
  const std::int64_t rows = architecture_.vocabulary;
  add("base_model.model.embed_tokens.lora_embedding_A", {2, rows});
  add("base_model.model.embed_tokens.lora_embedding_B", {kIn, 2});
  const Checkpoint plain = Checkpoint::open(folder_.path() / "base"), with = merged();
  const ConstMatrix before = plain.find("embed_tokens.weight")->matrix(),
                    after = with.find("embed_tokens.weight")->matrix();
  const auto a = [&](std::int64_t k, std::int64_t v) { return 0.01f * static_cast<float>(4 * (k * rows + v) % 28); };
  const auto b = [&](std::int64_t i, std::int64_t k) { return 0.01f * static_cast<float>(4 * (i * 2 + k) % 28); };
  for (const std::int64_t v : {std::int64_t{0}, std::int64_t{7}, rows - 1}) {
    for (std::int64_t i = 0; i < kIn; ++i) {
      const float expected = before.f32_row(v)[i] + 2 * (b(i, 0) * a(0, v) + b(i, 1) * a(1, v));
      EXPECT_NEAR(after.f32_row(v)[i], expected, 1e-6f) << v << " " << i;
    }
  }
}

TEST_F(AdapterFolder, WhatItHasNoPlaceForIsRefusedByName) {
  add("base_model.model.score.weight", {2, 2});
  expect_refused("score.weight");
  tensors_.pop_back();
  add("base_model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", {2, 2});
  expect_refused("lora_magnitude_vector");
  tensors_.pop_back();
  add("base_model.model.layers.9.self_attn.q_proj.lora_A.weight", {2, kIn});
  expect_refused("one of them alone");
  add("base_model.model.layers.9.self_attn.q_proj.lora_B.weight", {kOut, 2});
  expect_refused("layers.9.self_attn.q_proj.weight");
  tensors_.resize(2);
  add("base_model.model.layers.0.self_attn.k_proj.lora_A.weight", {2, kIn + 1});
  add("base_model.model.layers.0.self_attn.k_proj.lora_B.weight", {architecture_.key_width(), 2});
  expect_refused("k_proj");
  tensors_.resize(2);
  add("model.layers.0.self_attn.q_proj.lora_A.default.weight", {2, kIn});
  expect_refused("already");
}

TEST_F(AdapterFolder, OtherKindsAreRefusedByTheirKeys) {
  const std::vector<std::pair<const char*, json>> kinds{{"use_dora", true},
                                                        {"bias", "all"},
                                                        {"lora_bias", true},
                                                        {"fan_in_fan_out", true},
                                                        {"modules_to_save", {"embed_tokens"}},
                                                        {"trainable_token_indices", {3}},
                                                        {"layer_replication", {{0, 2}}},
                                                        {"target_parameters", {"x"}},
                                                        {"alora_invocation_tokens", {1}},
                                                        {"use_bdlora", {{"nblocks", 2}}},
                                                        {"kasa_config", {{"beta", 1}}},
                                                        {"arrow_config", {{"top_k", 3}}},
                                                        {"peft_type", "IA3"},
                                                        {"init_lora_weights", "pissa_niter_4"},
                                                        {"init_lora_weights", "olora"}};
  for (const auto& [key, value] : kinds) {
    const json before = config_;
    config_[key] = value;
    expect_refused(key);
    config_ = before;
  }
  for (const auto& [key, value] : std::vector<std::pair<const char*, json>>{{"use_dora", false},
                                                                            {"bias", "none"},
                                                                            {"modules_to_save", nullptr},
                                                                            {"loftq_config", json::object()},
                                                                            {"init_lora_weights", true},
                                                                            {"init_lora_weights", "gaussian"},
                                                                            {"layers_pattern", nullptr}}) {
    const json before = config_;
    config_[key] = value;
    EXPECT_NO_THROW(merged()) << key;
    config_ = before;
  }
}

TEST_F(AdapterFolder, ABaseThatIsNotHereIsAskedFor) {
  config_["base_model_name_or_path"] = "someone/somewhere";
  expect_refused("--adapter");
  config_.erase("base_model_name_or_path");
  expect_refused("--adapter");
  config_["base_model_name_or_path"] = "../base";
  std::ofstream(folder_.path() / "base" / "adapter_config.json") << "{}";
  expect_refused("beside the weights");
}

TEST(LoraConfig, IsReadBackAsItWasWritten) {
  const Architecture qwen3 = testing::tiny_architecture("qwen3", 32, 2, 4);
  Lora lora = new_lora(qwen3, {.rank = 4, .alpha = 6, .rank_stabilised = true, .targets = "v_proj,down_proj"});
  lora.modules[1].rank = 2;
  lora.modules[1].alpha = 16;
  const TempFolder folder;
  std::ofstream(folder.path() / "adapter_config.json") << lora_config_json(lora, qwen3, "the/base");
  const LoraConfig read = read_lora_config(folder.path());
  EXPECT_EQ(read.base, "the/base");
  EXPECT_TRUE(read.rank_stabilised);
  for (const LoraModule& module : lora.modules) EXPECT_EQ(read.alpha_of(module.module), module.alpha) << module.module;
  const json config = json::parse(std::ifstream(folder.path() / "adapter_config.json"));
  EXPECT_EQ(config.at("target_modules"), (json{"down_proj", "v_proj"}));
  EXPECT_EQ(config.at("rank_pattern").size(), 1u);
  EXPECT_EQ(config.at("r"), 4);
  lora.modules.pop_back();  // then no end of names means these alone
  const json one = json::parse(lora_config_json(lora, qwen3, ""));
  EXPECT_EQ(one.at("target_modules").size(), 3u);
  EXPECT_EQ(one.at("target_modules").at(0), "layers.0.self_attn.v_proj");
}

}  // namespace
}  // namespace sgpt
