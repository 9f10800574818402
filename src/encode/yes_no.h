// Qwen3-Reranker's question: a chat that asks whether a document meets a query, of whose answer the first token is
// "yes" or "no". The pair stands in a frame that is never cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "encode/text_preparation.h"
#include "model/model_folder.h"
#include "sgpt/tokenizer.h"

namespace sgpt {

/// Immutable; member functions are thread-safe.
class YesNoIds {
 public:
  /// Throws UserError when the tokenizer has no single token for either answer, or when the frame leaves no room in
  /// `max_length`. `folder` is for messages.
  YesNoIds(Tokenizer tokenizer, std::string instruction, std::int64_t max_length, const ModelFolder& folder);

  /// Frame and pair, the latter cut at its end. Throws UserError on invalid UTF-8.
  TokenIds ids(std::string_view query, std::string_view document) const;
  std::int32_t yes() const { return yes_; }
  std::int32_t no() const { return no_; }

 private:
  Tokenizer tokenizer_;
  std::string instruction_;
  TokenIds before_, behind_;
  std::int64_t room_;
  std::int32_t yes_, no_;
};

/// Whether a model is one of these, by its name or by that in its config.json.
bool asks_yes_or_no(const ModelFolder& folder);

}  // namespace sgpt
