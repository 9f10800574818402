#include "encode/yes_no.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/unicode.h"
#include "formats/json_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kBefore =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. "
    "Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
constexpr std::string_view kBehind = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

std::int32_t answer(const Tokenizer& tokenizer, std::string_view word, const ModelFolder& folder) {
  const TokenIds ids = tokenizer.encode(word);
  if (ids.size() == 1) return ids.front();
  throw UserError(
      fmt::format("{}: \"{}\" is {} tokens instead of one: this model cannot be asked for \"yes\" or \"no\" "
                  "(--score query asks how probable the query is)",
                  folder.tokenizer_file().string(), word, ids.size()));
}

void require_utf8(std::string_view text, const char* what) {
  if (const auto byte = invalid_utf8(text)) {
    throw UserError(fmt::format("the {} is no valid UTF-8 at byte {}", what, *byte));
  }
}

bool names_reranker(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.find("qwen3-reranker") != std::string::npos;
}

}  // namespace

YesNoIds::YesNoIds(Tokenizer tokenizer, std::string instruction, std::int64_t max_length, const ModelFolder& folder)
    : tokenizer_(std::move(tokenizer)),
      instruction_(std::move(instruction)),
      before_(tokenizer_.encode(kBefore)),
      behind_(tokenizer_.encode(kBehind)),
      room_(max_length - std::ssize(before_) - std::ssize(behind_)),
      yes_(answer(tokenizer_, "yes", folder)),
      no_(answer(tokenizer_, "no", folder)) {
  require_utf8(instruction_, "instruction");
  if (room_ < 1) {
    throw UserError(
        fmt::format("the length is {} tokens, but the question alone has {}: there is no room for query and "
                    "document",
                    max_length, before_.size() + behind_.size()));
  }
}

TokenIds YesNoIds::ids(std::string_view query, std::string_view document) const {
  require_utf8(query, "query");
  require_utf8(document, "document");
  TokenIds ids = before_;
  const TokenIds pair =
      tokenizer_.encode(fmt::format("<Instruct>: {}\n<Query>: {}\n<Document>: {}", instruction_, query, document));
  ids.insert(ids.end(), pair.begin(), pair.begin() + std::min<std::ptrdiff_t>(std::ssize(pair), room_));
  ids.insert(ids.end(), behind_.begin(), behind_.end());
  return ids;
}

bool asks_yes_or_no(const ModelFolder& folder) {
  if (names_reranker(folder.name)) return true;
  const JsonFile config(folder.transformer / "config.json");
  const auto* origin = config.find("_name_or_path");
  return origin && origin->is_string() && names_reranker(origin->get<std::string>());
}

}  // namespace sgpt
