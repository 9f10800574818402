// From a query and a document to the ids that a cross-encoder sees: the template around the document, the query behind
// it, cut to the model's length as the reference cuts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "encode/text_preparation.h"
#include "sgpt/tokenizer.h"

namespace sgpt {

/// Immutable; member functions are thread-safe.
class PairIds {
 public:
  /// Throws UserError when the template has no "{}" or is no valid UTF-8.
  PairIds(Tokenizer tokenizer, std::string_view text_template, std::int64_t max_length);

  /// The template with the document in it, uncut. Throws UserError when there is no token at all.
  TokenIds context(std::string_view document) const;
  /// Throws UserError when it has no token, or when there is no room for all of it.
  TokenIds query(std::string_view query) const;

  /// How many ids of the context, behind the instruction, must go for this query to fit.
  std::int64_t to_drop(const TokenIds& context, const TokenIds& query) const;
  /// The context without them.
  TokenIds cut(const TokenIds& context, std::int64_t drop) const;

  std::int64_t max_length() const { return max_length_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  /// Tokens of document, what is behind it, and query; a query's last token is only predicted, never read.
  std::int64_t room() const { return max_length_ + 1 - instruction_; }

  Tokenizer tokenizer_;
  std::string before_;  // the document
  std::string behind_;
  std::int64_t max_length_;
  std::int64_t instruction_ = 0;  // tokens of `before_`, by itself
};

}  // namespace sgpt
