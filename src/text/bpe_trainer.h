// Trains a byte-level BPE tokenizer in BLOOM's configuration, with the same result as the BpeTrainer of `tokenizers`:
// the pair that occurs most often is joined, of equals the one of lowest ids, until the vocabulary is full.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/function_ref.h"

namespace sgpt {

struct BpeTrainerOptions {
  std::int64_t vocab_size = 8192;  // special tokens and the 256 bytes included
  std::int64_t min_frequency = 0;  // pairs seen less often than this are not joined
  std::vector<std::string> special_tokens = {"<unk>", "<s>", "</s>", "<pad>"};  // ids 0, 1, …
};

/// A vocabulary and its merges, best first.
struct TrainedBpe {
  std::vector<std::string> tokens;                              // [id], written in the byte alphabet
  std::vector<std::pair<std::uint32_t, std::uint32_t>> merges;  // ids of the two tokens
  std::size_t special_tokens = 0;                               // the first tokens are these
};

class BpeTrainer {
 public:
  /// Throws UserError when the vocabulary has no room for the special tokens and the 256 bytes, or is absurdly large.
  explicit BpeTrainer(const BpeTrainerOptions& options);
  ~BpeTrainer();

  /// Counts the words of a text. Throws UserError on invalid UTF-8.
  void add(std::string_view text);

  /// `progress` is told now and then how many tokens there are. With too little text the vocabulary ends up smaller
  /// than asked for. Call it once.
  TrainedBpe train(FunctionRef<void(std::int64_t)> progress);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The tokenizer.json that `tokenizers` reads.
std::string tokenizer_json(const TrainedBpe& trained);

}  // namespace sgpt
