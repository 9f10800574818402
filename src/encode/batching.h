// Which texts are computed together: texts of like length, up to a budget of tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "encode/text_preparation.h"
#include "tensor/token_batch.h"

namespace sgpt {

/// Tokens computed at once where nobody says how many: enough rows for matrix products at full speed, few enough that
/// activations stay near the caches.
inline constexpr std::int64_t kUsualTokenBudget = 2048;

/// Places of texts, longest first, in groups of at most `token_budget` tokens; a longer text is a group of its own.
/// Longest first, so that memory is at its highest from the beginning. Texts without tokens are in no group.
std::vector<std::vector<std::size_t>> plan_batches(std::span<const TokenIds> texts, std::int64_t token_budget);

/// The texts at these places, packed; pooling leaves out the first `skipped` tokens of each.
TokenBatch pack_texts(std::span<const TokenIds> texts, std::span<const std::size_t> places, std::int64_t skipped = 0);

}  // namespace sgpt
