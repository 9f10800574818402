// The section "model" of a tokenizer.json: vocabulary, merges, and how they are used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/bpe.h"
#include "text/json_node.h"

namespace sgpt {

/// Throws that this part of a tokenizer is not supported.
[[noreturn]] void refuse_part(const JsonNode& node, std::string_view what);

/// Throws UserError for anything that it does not know, and where the parts contradict each other.
BpeModel read_model_section(const JsonNode& node, bool byte_level);

/// An object {token: id}.
void read_vocabulary(const JsonNode& node, Vocabulary& vocabulary);

/// Adds the merges of a list one after the other.
class MergeAdder {
 public:
  explicit MergeAdder(BpeModel& model) : model_(model) {}

  /// Returns the token that the vocabulary lacks, if there is one; then nothing is added.
  std::optional<std::string> add(std::string_view left, std::string_view right);

 private:
  BpeModel& model_;
  std::uint32_t rank_ = 0;
};

}  // namespace sgpt
