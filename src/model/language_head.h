// The output layer of a causal model: how probable a token is after the ones before it. Only for the rows that are
// asked for, and a block of the vocabulary at a time, so that the logits of all its rows never lie in memory at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/architecture.h"
#include "model/checkpoint.h"
#include "tensor/arena.h"
#include "tensor/memory.h"

namespace sgpt {

/// Always computed in f32. Immutable; const member functions are thread-safe, one arena a thread.
class LanguageHead {
 public:
  /// Rows of the vocabulary whose logits are computed at once.
  static constexpr std::int64_t kBlock = 4096;

  /// The embedding's matrix where the two are tied, else lm_head.weight; either is read where it lies, where the
  /// backend can, so that checkpoint and backend must outlive the head. `rows`: the first ones alone make the softmax;
  /// 0: all. Throws UserError when the checkpoint lacks lm_head, holds numbers that are not finite, or `rows` is more
  /// than there are.
  LanguageHead(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
               const std::filesystem::path& config_json, std::int64_t rows = 0, std::int64_t block = kBlock);

  /// Rows of the softmax; a target is below it.
  std::int64_t rows() const { return rows_; }

  /// log P(targets[i] | hidden row i), in the natural logarithm; hidden[N,d] as Decoder::forward gives it. A row's bits
  /// depend on itself alone.
  std::vector<double> log_probabilities(ConstMatrix hidden, std::span<const std::int32_t> targets, Arena& arena) const;

 private:
  struct Block {
    std::int64_t first = 0;  // its first row
    std::unique_ptr<PackedWeight> weight;
    ConstMatrix bias;  // [1, rows of the block]; null: none
  };

  Backend& backend_;
  std::int64_t rows_;
  Buffer bias_;
  std::vector<Block> blocks_;
};

/// The output layer for a few tokens alone, whose logits are compared with one another. Computed in f32; immutable,
/// thread-safe, one arena a thread.
class TokenLogits {
 public:
  /// Throws as LanguageHead does. Backend must outlive it.
  TokenLogits(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
              const std::filesystem::path& config_json, std::span<const std::int32_t> tokens);

  /// [N, tokens] on the host; hidden[N,d]. A row's bits depend on itself alone.
  std::vector<float> logits(ConstMatrix hidden, Arena& arena) const;

 private:
  Backend& backend_;
  std::unique_ptr<PackedWeight> weight_;
};

}  // namespace sgpt
