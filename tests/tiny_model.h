// A tiny random BLOOM in a sentence-transformers folder, made without other programs and without the code under test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sgpt::testing {

struct TinyModel {
  std::int64_t hidden = 32;
  std::int64_t layers = 2;
  std::int64_t heads = 4;
  std::int64_t max_seq_length = 64;
  std::string pooling = "weightedmean";  ///< "cls", "max", "mean", "mean_sqrt_len", "weightedmean" or "lasttoken"
  bool modules = true;                   ///< false: a plain checkpoint, without modules.json and what it names
  bool normalize = false;                ///< a Normalize module at the end
  std::string prefix = {};               ///< before every tensor's name, such as "transformer."
  std::uint32_t seed = 1;
  /// Called for each tensor before it is written, to break it.
  std::function<void(std::string_view name, std::vector<float>& values)> change = {};
};

/// The merges of the tiny tokenizer, in the byte alphabet's letters (Ġ is the space).
inline const std::vector<std::pair<std::string, std::string>>& tiny_merges() {
  static const std::vector<std::pair<std::string, std::string>> merges{
      {"t", "h"}, {"th", "e"}, {"Ġ", "the"}, {"i", "n"},  {"in", "g"},  {"e", "r"},
      {"o", "n"}, {"Ġ", "a"},  {"a", "n"},   {"an", "d"}, {"Ġ", "and"}, {"r", "e"}};
  return merges;
}

/// Rows of the tiny model's embedding: 4 special tokens, 256 bytes, the merges.
inline std::int64_t tiny_vocabulary() { return 4 + 256 + static_cast<std::int64_t>(tiny_merges().size()); }

namespace tiny {

inline std::string utf8(int letter) {
  if (letter < 0x80) return {static_cast<char>(letter)};
  return {static_cast<char>(0xc0 | (letter >> 6)), static_cast<char>(0x80 | (letter & 0x3f))};
}

/// The letters that stand for the 256 bytes (GPT-2's byte alphabet), in the order of their code points.
inline std::vector<std::string> byte_letters() {
  std::vector<int> letters;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    letters.push_back(printable ? byte : next++);
  }
  std::sort(letters.begin(), letters.end());
  std::vector<std::string> result;
  for (const int letter : letters) result.push_back(utf8(letter));
  return result;
}

inline std::string quoted(const std::string& token) {
  std::string result(1, '"');
  for (const char c : token) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  result += '"';
  return result;
}

inline void write(const std::filesystem::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary) << text;
}

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  float centre;  // values lie evenly in centre ± width
  float width;
};

/// In the order of the checkpoint. Wide enough values that every part of the model matters.
inline std::vector<Tensor> tensors(const TinyModel& model) {
  const std::int64_t d = model.hidden;
  std::vector<Tensor> list;
  const auto layer_norm = [&](const std::string& name) {
    list.push_back({name + ".weight", {d}, 1.0f, 0.3f});
    list.push_back({name + ".bias", {d}, 0.0f, 0.3f});
  };
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    list.push_back({name + ".weight", {out, in}, 0.0f, 0.2f});
    list.push_back({name + ".bias", {out}, 0.0f, 0.2f});
  };
  list.push_back({"word_embeddings.weight", {tiny_vocabulary(), d}, 0.0f, 1.0f});
  layer_norm("word_embeddings_layernorm");
  for (std::int64_t layer = 0; layer < model.layers; ++layer) {
    std::string h = "h.";
    h.append(std::to_string(layer)).append(".");
    layer_norm(h + "input_layernorm");
    linear(h + "self_attention.query_key_value", 3 * d, d);
    linear(h + "self_attention.dense", d, d);
    layer_norm(h + "post_attention_layernorm");
    linear(h + "mlp.dense_h_to_4h", 4 * d, d);
    linear(h + "mlp.dense_4h_to_h", d, 4 * d);
  }
  layer_norm("ln_f");
  return list;
}

}  // namespace tiny

/// A byte-level BPE tokenizer in BLOOM's configuration.
inline void write_tiny_tokenizer(const std::filesystem::path& file) {
  static constexpr const char* kSpecial[] = {"<unk>", "<s>", "</s>", "<pad>"};
  std::ostringstream json;
  json << R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)";
  for (int id = 0; id < 4; ++id) {
    json << (id ? "," : "") << R"({"id":)" << id << R"(,"content":)" << tiny::quoted(kSpecial[id])
         << R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  }
  json
      << R"(],"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
      << R"re(" ?[^(\\s|[.,!?…。，、।۔،])]+"},"behavior":"Isolated","invert":false},)re"
      << R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},)"
      << R"("post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":false},)"
      << R"("decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},)"
      << R"("model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,)"
      << R"("end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"vocab":{)";
  int id = 0;
  for (const char* token : kSpecial) json << (id ? "," : "") << tiny::quoted(token) << ":" << id, ++id;
  for (const std::string& letter : tiny::byte_letters()) json << "," << tiny::quoted(letter) << ":" << id++;
  for (const auto& [left, right] : tiny_merges()) json << "," << tiny::quoted(left + right) << ":" << id++;
  json << R"(},"merges":[)";
  for (std::size_t i = 0; i < tiny_merges().size(); ++i) {
    json << (i ? "," : "") << tiny::quoted(tiny_merges()[i].first + " " + tiny_merges()[i].second);
  }
  json << "]}}";
  tiny::write(file, json.str());
}

inline void write_tiny_weights(const std::filesystem::path& file, const TinyModel& model) {
  std::mt19937 random(model.seed);
  std::ostringstream json;
  std::string data;
  for (const tiny::Tensor& tensor : tiny::tensors(model)) {
    std::int64_t count = 1;
    json << (data.empty() ? "{" : ",") << tiny::quoted(model.prefix + tensor.name) << R"(:{"dtype":"F32","shape":[)";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      json << (i ? "," : "") << tensor.shape[i];
      count *= tensor.shape[i];
    }
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
      value = tensor.centre + tensor.width * (static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
    }
    if (model.change) model.change(tensor.name, values);
    json << R"(],"data_offsets":[)" << data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    json << "," << data.size() << "]}";
  }
  json << "}";
  std::string header = json.str();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();  // little-endian, as every machine that sgpt runs on
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << header << data;
}

/// Makes the folder (if it is not there) and everything in it. Returns the folder.
inline std::filesystem::path write_tiny_model(const std::filesystem::path& folder, const TinyModel& model = {}) {
  std::filesystem::create_directories(folder);
  std::ostringstream config;
  config << R"({"model_type":"bloom","architectures":["BloomModel"],"hidden_size":)" << model.hidden << R"(,"n_layer":)"
         << model.layers << R"(,"n_head":)" << model.heads << R"(,"vocab_size":)" << tiny_vocabulary()
         << R"(,"layer_norm_epsilon":1e-05,"apply_residual_connection_post_layernorm":false})";
  tiny::write(folder / "config.json", config.str());
  write_tiny_weights(folder / "model.safetensors", model);
  write_tiny_tokenizer(folder / "tokenizer.json");
  std::ostringstream tokenizer;
  tokenizer << R"({"tokenizer_class":"BloomTokenizerFast","pad_token":"<pad>","model_max_length":)"
            << model.max_seq_length << "}";
  tiny::write(folder / "tokenizer_config.json", tokenizer.str());
  if (!model.modules) return folder;
  std::string modules = R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},)"
                        R"({"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
  if (model.normalize) {
    modules += R"(,{"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"})";
    std::filesystem::create_directories(folder / "2_Normalize");
  }
  tiny::write(folder / "modules.json", modules + "]");
  std::ostringstream pooling;
  pooling << R"({"word_embedding_dimension":)" << model.hidden;
  static constexpr std::pair<const char*, const char*> kModes[] = {{"cls", "cls_token"},
                                                                   {"mean", "mean_tokens"},
                                                                   {"max", "max_tokens"},
                                                                   {"mean_sqrt_len", "mean_sqrt_len_tokens"},
                                                                   {"weightedmean", "weightedmean_tokens"},
                                                                   {"lasttoken", "lasttoken"}};
  for (const auto& [mode, key] : kModes) {
    pooling << R"(,"pooling_mode_)" << key << R"(":)" << (model.pooling == mode ? "true" : "false");
  }
  pooling << "}";
  std::filesystem::create_directories(folder / "1_Pooling");
  tiny::write(folder / "1_Pooling" / "config.json", pooling.str());
  std::ostringstream length;
  length << R"({"max_seq_length":)" << model.max_seq_length << R"(,"do_lower_case":false})";
  tiny::write(folder / "sentence_bert_config.json", length.str());
  tiny::write(folder / "config_sentence_transformers.json", R"({"__version__":{"sentence_transformers":"2.1.0"}})");
  return folder;
}

}  // namespace sgpt::testing
