// Byte-pair encoding of one word: of all adjacent pairs of symbols that some merge joins, the one of lowest rank (the
// leftmost of equals) is joined, until none is left (Sennrich et al. 2016, arXiv 1508.07909).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/hash.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"

namespace sgpt {

struct MergeRule {
  std::uint32_t rank = 0xFFFFFFFFu;  // the place in the list of merges; the highest means that there is none
  std::uint32_t result = 0;          // the id of the joined token
};

struct BpeModel {
  Vocabulary vocabulary;
  PairMap<MergeRule> merges;  // by the ids of the two tokens
  bool byte_level = true;     // words are bytes, tokens are written in the byte alphabet; else words are characters
  bool byte_fallback =
      false;  // a character without a token becomes its bytes' tokens <0x00> to <0xFF>, if all are there
  bool fuse_unknown = false;                            // neighbouring unknown characters become one `unknown`
  std::optional<std::uint32_t> unknown = std::nullopt;  // the token of characters that are neither
  bool ignore_merges = false;  // a word that is a token as a whole is that token, whatever the merges say
};

class Bpe {
 public:
  /// What encoding needs beside the tables; belongs to one thread at a time.
  struct Workspace {
    WordCache cache;
    std::vector<std::uint32_t> symbols;
    std::vector<MergeRule> rules;
    std::vector<std::int32_t> ids;
  };

  explicit Bpe(BpeModel model);

  const Vocabulary& vocabulary() const { return model_.vocabulary; }
  bool byte_level() const { return model_.byte_level; }

  /// The ids of a word (valid UTF-8, not empty). Symbols that the vocabulary lacks, and for which there is neither
  /// byte_fallback nor `unknown`, are left out, as `tokenizers` does.
  /// Valid until the workspace is used again. Time n log n for n bytes.
  std::span<const std::int32_t> ids_of(std::string_view word, Workspace& workspace) const;

 private:
  bool whole_word(std::string_view word, Workspace& workspace) const;
  void first_symbols(std::string_view word, std::vector<std::uint32_t>& symbols) const;
  void first_characters(std::string_view word, std::vector<std::uint32_t>& symbols) const;
  bool bytes_as_tokens(std::string_view character, std::vector<std::uint32_t>& symbols) const;
  MergeRule rule_for(std::uint32_t left, std::uint32_t right) const;
  void merge_short(Workspace& workspace) const;
  void merge_long(std::vector<std::uint32_t>& symbols) const;

  BpeModel model_;
  std::array<std::uint32_t, 256> symbol_of_byte_;  // its letter of the byte alphabet, or with byte_fallback its <0xNN>
};

}  // namespace sgpt
