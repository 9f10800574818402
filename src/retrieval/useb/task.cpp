#include "retrieval/useb/task.h"

#include <algorithm>
#include <numeric>

#include "base/progress.h"
#include "retrieval/chunk_pacer.h"

namespace sgpt {

Embeddings embed_texts(const EncoderTeam& team, std::string_view title, std::span<const std::string> texts,
                       std::span<const std::string> places) {
  Progress progress(std::string(title), "texts", static_cast<std::int64_t>(texts.size()));
  Embeddings all{
      .rows = static_cast<std::int64_t>(texts.size()), .dimension = team.encoder().dimension(), .values = {}};
  ChunkPacer chunk;
  for (std::size_t begin = 0; begin < texts.size();) {
    const std::size_t count = std::min(chunk.size(), texts.size() - begin);
    chunk.begin();
    const Embeddings some = team.encode(texts.subspan(begin, count), TextKind::plain, places.subspan(begin, count));
    chunk.end();
    all.values.insert(all.values.end(), some.values.begin(), some.values.end());
    begin += count;
    progress.update(static_cast<std::int64_t>(begin));
  }
  return all;
}

double average_precision(std::span<const float> scores, const std::vector<bool>& relevant) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return scores[i] > scores[j]; });
  double sum = 0;
  std::int64_t found = 0;
  for (std::size_t end = 0; end < order.size();) {
    const std::int64_t before = found;
    const float threshold = scores[order[end]];
    for (; end < order.size() && scores[order[end]] == threshold; ++end) found += relevant[order[end]];
    sum += static_cast<double>(found - before) * static_cast<double>(found) / static_cast<double>(end);
  }
  return found == 0 ? 0 : sum / static_cast<double>(found);
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace sgpt
