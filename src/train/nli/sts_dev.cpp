#include "train/nli/sts_dev.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include <xxhash.h>

#include "encode/batching.h"
#include "tensor/arena.h"

namespace sgpt {
StsDev::StsDev(StsPairs pairs, const TextPreparation& preparation, const Options& options)
    : options_(options), scores_(std::move(pairs.scores)) {
  // As sgpt eval --sts has it.
  ids_ = preparation.prepare(pairs.first, TextKind::plain, pairs.places).ids;
  std::vector<TokenIds> second = preparation.prepare(pairs.second, TextKind::plain, pairs.places).ids;
  skipped_ = preparation.skipped(TextKind::plain);
  std::move(second.begin(), second.end(), std::back_inserter(ids_));
  groups_ = plan_batches(ids_, kUsualTokenBudget);
}

std::uint64_t StsDev::fingerprint() const {
  std::uint64_t hash = XXH3_64bits(scores_.data(), scores_.size() * sizeof(double));
  for (const TokenIds& ids : ids_) hash = XXH3_64bits_withSeed(ids.data(), ids.size() * sizeof(ids.front()), hash);
  return hash;
}

/// The embeddings of every so manieth group, in the groups' order.
std::vector<float> StsDev::embed_share(const Decoder& model, std::int64_t rank, std::int64_t ranks) const {
  Backend& backend = model.backend();
  const std::int64_t d = model.config().hidden;
  Arena arena(backend.memory());
  std::vector<float> values;
  for (auto group = static_cast<std::size_t>(rank); group < groups_.size(); group += static_cast<std::size_t>(ranks)) {
    const Arena::Scope scope(arena);
    const TokenBatch batch = pack_texts(ids_, groups_[group], skipped_);
    const PackedTexts texts = backend.place(batch, arena);
    const std::int64_t count = batch.texts();
    const Matrix pooled = arena.take(count, d);
    backend.pool(texts, model.forward(texts, arena), std::vector{options_.pooling}, pooled);
    if (options_.normalize) backend.normalize_rows(pooled, pooled, {});
    const std::size_t begin = values.size();
    values.resize(begin + static_cast<std::size_t>(count * d));
    backend.download(pooled, {values.data() + begin, count, d});
  }
  return values;
}

StsResult StsDev::evaluate(const Decoder& model, Communicator& ranks) const {
  const std::int64_t d = model.config().hidden;
  std::vector<std::size_t> order;  // of the sentences, as the ranks embed them one rank after the other
  std::vector<std::int64_t> counts;
  for (std::int64_t rank = 0; rank < ranks.size(); ++rank) {
    const std::size_t before = order.size();
    for (auto group = static_cast<std::size_t>(rank); group < groups_.size();
         group += static_cast<std::size_t>(ranks.size())) {
      order.insert(order.end(), groups_[group].begin(), groups_[group].end());
    }
    counts.push_back(static_cast<std::int64_t>(order.size() - before) * d);
  }
  const std::vector<float> mine = embed_share(model, ranks.rank(), ranks.size());
  std::vector<float> all(ranks.first() ? order.size() * static_cast<std::size_t>(d) : 0);
  ranks.gather(mine, counts, all);
  if (!ranks.first()) return {};

  Embeddings halves[2];
  const std::size_t pairs = scores_.size();
  for (Embeddings& half : halves) {
    half = {.rows = std::ssize(scores_), .dimension = d, .values = {}};
    half.values.resize(pairs * static_cast<std::size_t>(d));  // a sentence without a token keeps its zeros
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    Embeddings& half = halves[order[i] / pairs];
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i) * d, d,
                half.values.begin() + static_cast<std::ptrdiff_t>(order[i] % pairs) * d);
  }
  return correlate(halves[0], halves[1], scores_);
}

}  // namespace sgpt
