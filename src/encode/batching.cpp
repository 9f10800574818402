#include "encode/batching.h"

#include <algorithm>

namespace sgpt {

std::vector<std::vector<std::size_t>> plan_batches(std::span<const TokenIds> texts, std::int64_t token_budget) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty()) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return texts[a].size() > texts[b].size(); });
  std::vector<std::vector<std::size_t>> batches;
  std::int64_t room = 0;
  for (const std::size_t i : order) {
    const auto tokens = static_cast<std::int64_t>(texts[i].size());
    if (batches.empty() || tokens > room) {
      batches.emplace_back();
      room = token_budget;
    }
    batches.back().push_back(i);
    room -= tokens;
  }
  return batches;
}

TokenBatch pack_texts(std::span<const TokenIds> texts, std::span<const std::size_t> places, std::int64_t skipped) {
  TokenBatch batch;
  for (const std::size_t i : places) batch.add(texts[i], skipped);
  return batch;
}

}  // namespace sgpt
