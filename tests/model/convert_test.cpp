// Converted models: every value against its rounding, the folder as a whole, the memory, and what broken or impossible
// input leads to.
#include "model/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "file_builders.h"
#include "fixtures.h"
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/model_folder.h"
#include "sanitizers.h"
#include "sgpt/error.h"
#include "sparse_model.h"
#include "temp_folder.h"
#include "tensor/quantize.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempFolder;
using ::testing::ThrowsMessage;
using testing::TinyModel;
using testing::write_tiny_model;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json json_of(const fs::path& path) { return nlohmann::json::parse(text_of(path)); }

float rounded(float value, DType type) {
  switch (type) {
    case DType::bf16: return float_from_bf16(bf16_from_float(value));
    case DType::f16: return float_from_f16(f16_from_float(value));
    default: return value;
  }
}

/// Every number of `source`, rounded, is in `target`.
void expect_rounded(const Checkpoint& source, const Checkpoint& target, DType type) {
  std::set<const std::byte*> places;  // a head that lies where the embedding lies is written once
  for (const CheckpointTensor& tensor : source.tensors()) places.insert(tensor.bytes.data());
  ASSERT_EQ(target.tensors().size(), places.size());
  for (const CheckpointTensor& tensor : source.tensors()) {
    if (tensor.name == "lm_head.weight" && places.size() < source.tensors().size()) continue;
    const CheckpointTensor& found = target.require(tensor.name, tensor.shape);
    ASSERT_EQ(found.type, type) << tensor.name;
    for (std::int64_t i = 0; i < tensor.matrix().size(); ++i) {
      const ConstMatrix row(tensor.matrix().data, 1, tensor.matrix().size(), tensor.type);
      const ConstMatrix found_row(found.matrix().data, 1, row.cols, type);
      ASSERT_EQ(float_at(found_row, 0, i), rounded(float_at(row, 0, i), type)) << tensor.name << " " << i;
    }
  }
}

std::size_t entries_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

class ConvertTo : public ::testing::TestWithParam<DType> {
 protected:
  static WeightType type() { return *weight_type_from(sgpt::name_of(GetParam())); }
};

TEST_P(ConvertTo, EveryNumberIsRounded) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  const ConvertResult result = convert_model(source, temp / "target", {.type = type()});
  EXPECT_EQ(result.files, 1u);
  const Checkpoint target = Checkpoint::open(temp / "target");
  expect_rounded(Checkpoint::open(source), target, GetParam());
  EXPECT_EQ(result.bytes, target.bytes());
  EXPECT_EQ(result.tensors, target.tensors().size());
}

TEST_P(ConvertTo, ShardsOfTorchFilesBecomeShardsOfSafetensors) {
  auto folders = testing::fixtures("models");
  std::erase_if(folders, [](const fs::path& folder) { return fs::exists(folder / "model.safetensors"); });
  if (folders.empty()) GTEST_SKIP() << "none of the fixtures is a model in torch's files";
  for (const fs::path& source : folders) {
    const TempFolder temp;
    const ConvertResult result = convert_model(source, temp / "target", {.type = type(), .shard_bytes = 20'000});
    EXPECT_GT(result.files, 1u);
    EXPECT_FALSE(fs::exists(temp / "target" / "pytorch_model.bin.index.json"));
    expect_rounded(Checkpoint::open(source), Checkpoint::open(temp / "target"), GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ConvertTo, ::testing::Values(DType::f32, DType::f16, DType::bf16),
                         [](const auto& type) { return std::string(sgpt::name_of(type.param)); });

TEST(Convert, Bf16IsRoundedToEven) {
  const TempFolder temp;
  const std::vector<float> values{1.0f, 1.00390625f, 1.01171875f, -1.00390625f, 3.14159265f, 1e-40f};
  TinyModel tiny;
  tiny.change = [&](std::string_view name, std::vector<float>& tensor) {
    if (name == "ln_f.bias") std::copy(values.begin(), values.end(), tensor.begin());
  };
  convert_model(write_tiny_model(temp / "source", tiny), temp / "target", {.type = WeightType::bf16});
  const Checkpoint target = Checkpoint::open(temp / "target");
  const auto* bits = reinterpret_cast<const std::uint16_t*>(target.find("ln_f.bias")->bytes.data());
  const std::vector<std::uint16_t> expected{0x3f80, 0x3f80, 0x3f82, 0xbf80, 0x4049, 0x0001};
  EXPECT_EQ(std::vector<std::uint16_t>(bits, bits + expected.size()), expected);
}

TEST(Convert, Int8HoldsMatricesWithTheirScalesAndAllElseAsItIs) {
  const TempFolder temp;
  const fs::path source_folder = write_tiny_model(temp / "source", {.hidden = 96, .heads = 6});
  convert_model(source_folder, temp / "target", {.type = WeightType::int8, .shard_bytes = 100'000});
  const Checkpoint source = Checkpoint::open(source_folder);
  const Checkpoint target = Checkpoint::open(temp / "target");
  for (const ParameterInfo& parameter : decoder_parameters(read_model_folder(source_folder).config)) {
    const CheckpointTensor& from = source.require(parameter.name, parameter.shape());
    if (parameter.kind != ParameterKind::matrix) {
      const CheckpointTensor& to = target.require(parameter.name, parameter.shape());
      EXPECT_EQ(to.type, DType::f32);
      EXPECT_TRUE(std::equal(from.bytes.begin(), from.bytes.end(), to.bytes.begin(), to.bytes.end()));
      continue;
    }
    const CheckpointTensor& to = target.require_matrix(parameter.name, parameter.shape());
    ASSERT_EQ(to.type, DType::i8) << parameter.name;
    const CheckpointTensor& to_scales = target.scales_of(to);
    std::vector<std::int8_t> values(static_cast<std::size_t>(from.matrix().size()));
    std::vector<float> scales(to_scales.bytes.size() / sizeof(float));
    quantize_rows(from.matrix(), Matrix(values.data(), parameter.rows, parameter.cols, DType::i8),
                  Matrix(scales.data(), parameter.rows, quantization_blocks(parameter.cols)));
    EXPECT_EQ(std::memcmp(to.bytes.data(), values.data(), values.size()), 0) << parameter.name;
    EXPECT_EQ(std::memcmp(to_scales.bytes.data(), scales.data(), to_scales.bytes.size()), 0) << parameter.name;
    EXPECT_THAT([&] { target.require(parameter.name, parameter.shape()); },
                ThrowsMessage<UserError>(HasSubstr("8-bit integers")));
  }
  EXPECT_EQ(json_of(temp / "target" / "config.json")["quantization_config"]["quant_method"], "sgpt");
  EXPECT_THAT([&] { convert_model(temp / "target", temp / "again", {.type = WeightType::bf16}); },
              ThrowsMessage<UserError>(HasSubstr("8-bit integers already")));
  EXPECT_FALSE(fs::exists(temp / "again"));
}

TEST(Convert, AQuantizedMatrixWithoutFittingScalesIsNamed) {
  const TempFolder temp;
  const auto with_scales = [&](const std::string& scales) {
    temp.write("model.safetensors",
               testing::safetensors_file(R"({"w":{"dtype":"I8","shape":[2,4],"data_offsets":[0,8]})" + scales + "}",
                                         std::string(scales.empty() ? 8 : 16, '\0')));
    const std::int64_t shape[] = {2, 4};
    const Checkpoint checkpoint = Checkpoint::open(temp.path());
    checkpoint.scales_of(checkpoint.require_matrix("w", shape));
  };
  EXPECT_THAT([&] { with_scales(""); }, ThrowsMessage<UserError>(HasSubstr("no tensor \"w_scales\"")));
  EXPECT_THAT([&] { with_scales(R"(,"w_scales":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]})"); },
              ThrowsMessage<UserError>(HasSubstr("asks for the shape [2, 1]")));
  EXPECT_THAT(
      [&] {
        with_scales(R"(,"w_scales":{"dtype":"F16","shape":[2,1],"data_offsets":[8,12]})"
                    R"(,"x":{"dtype":"F32","shape":[1],"data_offsets":[12,16]})");
      },
      ThrowsMessage<UserError>(HasSubstr("scales of f32, found f16")));
}

TEST(Convert, F64BecomesF32) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  const double values[] = {0.1, -2.5};
  const std::string data(reinterpret_cast<const char*>(values), sizeof values);
  testing::tiny::write(
      source / "model.safetensors",
      testing::safetensors_file(R"({"ln_f.bias":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}} )", data));
  const std::int64_t shape[] = {2};
  EXPECT_THAT([&] { Checkpoint::open(source).require("ln_f.bias", shape); },
              ThrowsMessage<UserError>(HasSubstr("sgpt convert --dtype f32")));
  convert_model(source, temp / "target", {.type = WeightType::f32});
  const Checkpoint target = Checkpoint::open(temp / "target");
  EXPECT_EQ(target.require("ln_f.bias", shape).matrix().f32()[0], 0.1f);
}

TEST(Convert, TheFolderIsOfTheSameKind) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source", {.normalize = true, .prefix = "transformer."});
  testing::tiny::write(source / "README.md", "a card");
  testing::tiny::write(source / "sgpt_config.json", R"({"version":1,"brackets":true})");
  testing::tiny::write(source / "training.log", "not of the model");
  convert_model(source, temp / "target", {.type = WeightType::f16});
  const ModelFolder model = read_model_folder(temp / "target");
  EXPECT_TRUE(model.has_modules);
  EXPECT_TRUE(model.normalize);
  EXPECT_EQ(model.brackets, true);
  EXPECT_EQ(model.pooling, std::vector{PoolingMode::weightedmean});
  EXPECT_EQ(model.max_seq_length, 64);
  for (const char* name : {"README.md", "tokenizer.json", "tokenizer_config.json", "modules.json",
                           "sentence_bert_config.json", "1_Pooling/config.json"}) {
    EXPECT_EQ(text_of(temp / "target" / name), text_of(source / name)) << name;
  }
  EXPECT_FALSE(fs::exists(temp / "target" / "training.log"));
  EXPECT_EQ(json_of(temp / "target" / "config.json")["torch_dtype"], "float16");
  EXPECT_EQ(Checkpoint::open(temp / "target").find("ln_f.bias")->prefix, "transformer.");
}

TEST(Convert, WeightsInAFolderOfTheirOwnStayThere) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  fs::create_directory(source / "0_Transformer");
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"}) {
    fs::rename(source / name, source / "0_Transformer" / name);
  }
  std::string modules = text_of(source / "modules.json");
  modules.replace(modules.find(R"("path":"")"), 9, R"("path":"0_Transformer")");
  testing::tiny::write(source / "modules.json", modules);
  convert_model(source, temp / "target", {.type = WeightType::bf16});
  EXPECT_EQ(read_model_folder(temp / "target").transformer, temp / "target" / "0_Transformer");
  EXPECT_EQ(Checkpoint::open(temp / "target" / "0_Transformer").find("ln_f.bias")->type, DType::bf16);
  EXPECT_FALSE(fs::exists(temp / "target" / "model.safetensors"));
}

TEST(Convert, ATensorThatSharesItsMemoryIsWrittenOnce) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  fs::remove(source / "model.safetensors");
  const testing::pickled::Tensor tensor;
  // The length of a name decides where the storage lies; torch.save sees to it that it lies as its type asks.
  for (std::string head = "lm_head.weight"; head.size() < 18; head += "_") {
    const std::string dict =
        testing::pickled::dict({{"transformer.word_embeddings.weight", tensor.pickle()}, {head, tensor.pickle()}});
    testing::tiny::write(
        source / "pytorch_model.bin",
        testing::torch_zip(testing::pickled::file(dict), {testing::floats({0, 1, 2, 3, 4, 5})}).bytes());
    if (Checkpoint::open(source).tensors()[0].mapped) break;
  }
  ASSERT_TRUE(Checkpoint::open(source).tensors()[0].mapped);
  convert_model(source, temp / "target", {.type = WeightType::bf16});
  const Checkpoint target = Checkpoint::open(temp / "target");
  EXPECT_EQ(target.tensors().size(), 1u);
  EXPECT_EQ(float_at(target.find("word_embeddings.weight")->matrix(), 1, 2), 5);
}

TEST(Convert, WhatCannotBeExpressedIsNamedAndNothingIsLeft) {
  const TempFolder temp;
  const auto with_value = [&](float value) {
    TinyModel tiny;
    tiny.change = [value](std::string_view name, std::vector<float>& tensor) {
      if (name == "h.1.mlp.dense_h_to_4h.weight") tensor[100] = value;
    };
    return write_tiny_model(temp / "source", tiny);
  };
  const auto expect = [&](float value, WeightType type, const std::string& sentence) {
    EXPECT_THAT([&] { convert_model(with_value(value), temp / "target", {.type = type}); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("\"h.1.mlp.dense_h_to_4h.weight\""), HasSubstr(sentence))));
    EXPECT_EQ(entries_in(temp.path()), 1u);
  };
  expect(65520.0f, WeightType::f16, "holds 65520, which f16 cannot express");
  expect(-3.4e38f, WeightType::bf16, "which bf16 cannot express");
  for (const WeightType type : {WeightType::f32, WeightType::f16, WeightType::bf16, WeightType::int8}) {
    expect(NAN, type, "NaN");
    expect(-INFINITY, type, "NaN or an infinity");
  }
  convert_model(with_value(65519.0f), temp / "target", {.type = WeightType::f16});
}

TEST(Convert, AFolderThatIsThereIsRefused) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  write_tiny_model(temp / "target");
  const std::string before = text_of(temp / "target" / "model.safetensors");
  EXPECT_THAT([&] { convert_model(source, temp / "target", {}); }, ThrowsMessage<UserError>(HasSubstr("not empty")));
  EXPECT_EQ(text_of(temp / "target" / "model.safetensors"), before);
}

TEST(Convert, ProgressRisesToTheEndAndMayStopIt) {
  const TempFolder temp;
  const fs::path source = write_tiny_model(temp / "source");
  std::uint64_t last = 0;
  std::uint64_t all = 0;
  const auto follow = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, last);
    last = done;
    all = total;
  };
  convert_model(source, temp / "target", {.type = WeightType::int8, .on_progress = follow});
  EXPECT_EQ(last, all);
  const auto stop = [](std::uint64_t done, std::uint64_t total) {
    if (done > total / 2) throw UserError("stopped");
  };
  EXPECT_THROW(convert_model(source, temp / "other", {.on_progress = stop}), UserError);
  EXPECT_EQ(entries_in(temp.path()), 2u);  // source and target
}

/// A number of /proc/self/status, in bytes.
std::size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoul(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

TEST(Convert, TheMemoryDoesNotGrowWithTheModel) {
  if (testing::kAddressSanitizer) GTEST_SKIP() << "AddressSanitizer keeps freed memory back";
  const TempFolder temp;
  const fs::path source = testing::write_sparse_model(temp / "source", 2048, 6);  // 400 MB
  for (const char* type : {"bf16", "int8"}) {
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak is now what is resident
    const std::size_t before = status_bytes("VmHWM:");
    if (before > status_bytes("VmRSS:") + (std::size_t{8} << 20)) GTEST_SKIP() << "the kernel keeps the old peak";
    convert_model(source, temp / type, {.type = *weight_type_from(type)});
    EXPECT_LT(status_bytes("VmHWM:") - before, std::size_t{100} << 20) << type;
  }
}

}  // namespace
}  // namespace sgpt
