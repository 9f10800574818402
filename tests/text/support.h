// What the tests of text/ share: a small tokenizer.json to change at will, files that go away, and random texts.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sgpt/tokenizer.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sgpt::testing {

/// A file with this content, removed with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    std::string name = (std::filesystem::temp_directory_path() / "sgpt-text-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    if (descriptor >= 0) ::close(descriptor);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A byte-level tokenizer: <unk> and </s>, then the 256 bytes in order (byte b has the id 2 + b), then the results of
/// the merges, which are given in plain bytes.
inline nlohmann::json byte_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  nlohmann::json vocabulary = {{"<unk>", 0}, {"</s>", 1}};
  for (int byte = 0; byte < 256; ++byte) vocabulary[letters_of(std::string(1, static_cast<char>(byte)))] = 2 + byte;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [left, right] : merges) {
    list.push_back({letters_of(left), letters_of(right)});
    const std::string joined = letters_of(left + right);
    if (!vocabulary.contains(joined)) vocabulary[joined] = vocabulary.size();
  }
  const auto special = [](int id, const char* content) {
    return nlohmann::json{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                          {"rstrip", false}, {"normalized", false}, {"special", true}};
  };
  return {{"version", "1.0"},
          {"added_tokens", {special(0, "<unk>"), special(1, "</s>")}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
}

/// A post-processor that puts these tokens ("<unk>" or "</s>"; "" for none) before and behind a text.
inline nlohmann::json around(const std::string& before, const std::string& behind) {
  nlohmann::json single = nlohmann::json::array();
  nlohmann::json tokens = nlohmann::json::object();
  const auto add = [&](const std::string& token) {
    if (token.empty()) return;
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    tokens[token] = {{"id", token}, {"ids", {token == "<unk>" ? 0 : 1}}, {"tokens", {token}}};
  };
  add(before);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(behind);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", nlohmann::json::array()},
          {"special_tokens", tokens}};
}

inline Tokenizer load(const nlohmann::json& tokenizer) {
  const TemporaryFile file(tokenizer.dump());
  return Tokenizer::load(file.path());
}

/// Characters that the patterns care about, more often than chance would have them, and any others.
inline std::string random_text(Random& random, std::size_t characters) {
  static constexpr std::u32string_view kTelling =
      U"  \t\n\r\u00A0\u2003\u3000''(|)[].,!?…。，、।۔،strevlmdST19½éжक漢\u0301\u200D🚀";
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) {
    char32_t code = 0;
    switch (random.below(4)) {
      case 0: code = 0x20 + random.below(0x5F); break;
      case 1: code = random.below(0x3000); break;
      case 2: code = random.below(0x110000); break;
      default: code = kTelling[random.below(static_cast<std::uint32_t>(kTelling.size()))];
    }
    if (code >= 0xD800 && code < 0xE000) code = U'x';
    append_utf8(text, code);
  }
  return text;
}

}  // namespace sgpt::testing
