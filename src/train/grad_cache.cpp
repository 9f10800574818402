#include "train/grad_cache.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "train/contrastive_ranks.h"
#include "train/gather_rows.h"

namespace sgpt {
namespace {

/// Rows [first, first + count) of every column, column by column.
TokenBatch rows_of(const TrainingBatch& batch, std::int64_t first, std::int64_t count) {
  TokenBatch texts;
  for (const TokenBatch& column : batch.columns) {
    for (std::int64_t row = first; row < first + count; ++row) {
      const auto begin = static_cast<std::size_t>(column.offsets[static_cast<std::size_t>(row)]);
      const auto end = static_cast<std::size_t>(column.offsets[static_cast<std::size_t>(row) + 1]);
      const auto skipped = column.skipped.empty() ? 0 : column.skipped[static_cast<std::size_t>(row)];
      texts.add(std::span(column.ids).subspan(begin, end - begin), skipped);
    }
  }
  return texts;
}

}  // namespace

/// The same rows of every column. Its embeddings lie in rows [first, first + texts) of a matrix in the chunks' order.
struct GradCache::Chunk {
  TokenBatch texts;
  std::int64_t first = 0;
  Kept kept = Kept::nothing;
  PackedTexts placed;       // where something is kept
  Activations activations;  // where something is kept
};

GradCache::GradCache(Backend& backend, Decoder& model, GradCacheOptions options, Communicator& ranks)
    : backend_(backend),
      model_(model),
      options_(std::move(options)),
      ranks_(ranks),
      kept_(backend.memory()),
      scratch_(backend.memory()) {}

std::vector<GradCache::Chunk> GradCache::cut(const TrainingBatch& batch) const {
  const std::int64_t rows = batch.size();
  const std::int64_t chunk_rows = options_.chunk_size > 0 ? std::min(options_.chunk_size, rows) : rows;
  std::vector<Chunk> chunks;
  for (std::int64_t row = 0; row < rows; row += chunk_rows) {
    Chunk& chunk = chunks.emplace_back();
    chunk.texts = rows_of(batch, row, std::min(chunk_rows, rows - row));
    chunk.first = row * static_cast<std::int64_t>(batch.columns.size());
  }
  return chunks;
}

/// Says of every chunk what is kept of it.
ActivationPlan GradCache::plan(std::span<Chunk> chunks) const {
  std::vector<ChunkBytes> bytes;
  for (const Chunk& chunk : chunks) {
    const std::int64_t tokens = chunk.texts.tokens();
    bytes.push_back({model_.kept_bytes(tokens, Keep::inputs), model_.kept_bytes(tokens, Keep::activations)});
  }
  const bool whole = options_.chunk_size == 0;
  ActivationPlan plan = plan_activations(
      bytes, whole ? std::numeric_limits<std::size_t>::max() : options_.activation_memory, model_.plan().share_again());
  for (std::size_t i = 0; i < chunks.size(); ++i) chunks[i].kept = plan.chunks[i];
  return plan;
}

GradCache::Result GradCache::accumulate(const TrainingBatch& batch, double weight) {
  const Arena::Scope kept_scope(kept_);
  const Arena::Scope scratch_scope(scratch_);
  std::vector<Chunk> chunks = cut(batch);
  const ActivationPlan planned = plan(chunks);
  const std::int64_t texts = batch.size() * static_cast<std::int64_t>(batch.columns.size());
  const std::int64_t dimension = model_.config().hidden * static_cast<std::int64_t>(options_.pooling.size());
  const Matrix embeddings = scratch_.take(texts, dimension);

  for (Chunk& chunk : chunks) embed_chunk(chunk, embeddings.slice(chunk.first, chunk.texts.texts()));
  Result result;
  result.loss = loss_and_gradients(chunks, batch, weight, embeddings);
  for (Chunk& chunk : chunks) {
    backward_chunk(chunk, embeddings.slice(chunk.first, chunk.texts.texts()), planned.again);
  }

  result.chunks = static_cast<std::int64_t>(chunks.size());
  result.twice = planned.count(Kept::nothing);
  result.from_inputs = planned.count(Kept::inputs);
  result.computed_again = planned.computed_again;
  return result;
}

/// embeddings[texts,e] = those of the chunk.
void GradCache::embed_chunk(Chunk& chunk, Matrix embeddings) {
  if (chunk.texts.tokens() == 0) {
    backend_.zero(embeddings);
    return;
  }
  if (chunk.kept != Kept::nothing) {
    const Keep keep = chunk.kept == Kept::inputs ? Keep::inputs : Keep::activations;
    chunk.placed = backend_.place(chunk.texts, kept_);
    const Matrix hidden = model_.forward(chunk.placed, kept_, chunk.activations, keep);  // [T,d]
    backend_.pool(chunk.placed, hidden, options_.pooling, embeddings);
    return;
  }
  const Arena::Scope scope(scratch_);
  const PackedTexts placed = backend_.place(chunk.texts, scratch_);
  backend_.pool(placed, model_.forward(placed, scratch_), options_.pooling, embeddings);
}

/// The loss of the whole batch, of all ranks. embeddings[texts,e], in the chunks' order, are overwritten with their own
/// gradients.
double GradCache::loss_and_gradients(std::span<const Chunk> chunks, const TrainingBatch& batch, double weight,
                                     Matrix embeddings) {
  const Arena::Scope scope(scratch_);
  // Where text `row` of `column` lies among the chunks, and the way back.
  const std::int64_t rows = batch.size();
  std::vector<std::int32_t> in_chunks(static_cast<std::size_t>(embeddings.rows));
  std::vector<std::int32_t> in_columns(in_chunks.size());
  std::int64_t first_row = 0;
  for (const Chunk& chunk : chunks) {
    const std::int64_t chunk_rows = chunk.texts.texts() / static_cast<std::int64_t>(batch.columns.size());
    for (std::int64_t text = 0; text < chunk.texts.texts(); ++text) {
      const std::int64_t by_column = text / chunk_rows * rows + first_row + text % chunk_rows;
      in_chunks[static_cast<std::size_t>(by_column)] = static_cast<std::int32_t>(chunk.first + text);
      in_columns[static_cast<std::size_t>(chunk.first + text)] = static_cast<std::int32_t>(by_column);
    }
    first_row += chunk_rows;
  }

  const Matrix columns = scratch_.take(embeddings.rows, embeddings.cols);
  const Matrix dcolumns = scratch_.take(embeddings.rows, embeddings.cols);
  gather_rows(backend_, embeddings, in_chunks, columns, scratch_);
  const RankBatch embedded{.queries = columns.slice(0, rows),
                           .candidates = columns.slice(rows, columns.rows - rows),
                           .columns = static_cast<std::int64_t>(batch.columns.size()) - 1,
                           .scale = options_.scale,
                           .weight = weight};
  const double loss = contrastive_loss(ranks_, backend_, embedded, dcolumns.slice(0, rows),
                                       dcolumns.slice(rows, columns.rows - rows), scratch_);
  gather_rows(backend_, dcolumns, in_columns, embeddings, scratch_);
  return loss;
}

/// The model's gradients += the chunk's part, from dembeddings[texts,e].
void GradCache::backward_chunk(Chunk& chunk, ConstMatrix dembeddings, Keep again) {
  if (chunk.texts.tokens() == 0) return;
  const Arena::Scope scope(scratch_);
  if (chunk.kept == Kept::nothing) {
    chunk.placed = backend_.place(chunk.texts, scratch_);
    model_.forward(chunk.placed, scratch_, chunk.activations, again);
  }
  const Matrix hidden = chunk.activations.hidden;
  const Matrix dhidden = scratch_.take(hidden.rows, hidden.cols);
  backend_.pool_backward(chunk.placed, hidden, options_.pooling, dembeddings, dhidden);
  model_.backward(chunk.placed, chunk.activations, dhidden, scratch_);
}

}  // namespace sgpt
