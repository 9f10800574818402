// Texts that share beginnings: a document with several questions behind it. A stem is computed once, and each of its
// branches goes on from it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/token_batch.h"

namespace sgpt {

/// The computed rows are the stems' tokens, one stem after the other, then those of the branches.
struct BranchedTexts {
  TokenBatch stems;
  TokenBatch branches;                // the tokens behind a stem; none: the stem is the whole text
  std::vector<std::int32_t> stem_of;  // [branches]

  /// A branch of the stem that was added last.
  void add_branch(std::span<const std::int32_t> ids) {
    branches.add(ids);
    stem_of.push_back(static_cast<std::int32_t>(stems.texts()) - 1);
  }

  std::int64_t tokens() const { return stems.tokens() + branches.tokens(); }
  /// The row of a stem's last token, and of a branch's first one.
  std::int64_t last_row_of_stem(std::int64_t stem) const {
    return stems.offsets[static_cast<std::size_t>(stem) + 1] - 1;
  }
  std::int64_t first_row_of_branch(std::int64_t branch) const {
    return stems.tokens() + branches.offsets[static_cast<std::size_t>(branch)];
  }
};

/// The texts as attention sees them: the stems, and each stem with each of its branches.
struct WholeTexts {
  TokenBatch texts;
  TokenBatch row_of_whole;  // "ids": of each of their rows, the computed row that it is
  TokenBatch whole_of_row;  // "ids": of each computed row, the row among theirs where it is attended from
};
WholeTexts whole_texts(const BranchedTexts& texts);

}  // namespace sgpt
