// The forward pass over texts that share beginnings. Everything that belongs to one token is computed once for each
// computed row; what looks at a whole text (positions, attention) is given whole texts, whose rows are copies. How many
// branches a stem has changes no bit: each of them is attended in a text of its own.
#include "model/branched_texts.h"

#include <numeric>

#include "model/decoder.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

std::span<const std::int32_t> text_of(const TokenBatch& batch, std::size_t number) {
  const auto first = static_cast<std::size_t>(batch.offsets[number]);
  return std::span(batch.ids).subspan(first, static_cast<std::size_t>(batch.offsets[number + 1]) - first);
}

}  // namespace

WholeTexts whole_texts(const BranchedTexts& texts) {
  WholeTexts whole;
  whole.texts = texts.stems;
  std::vector<std::int32_t> rows(static_cast<std::size_t>(texts.tokens()));
  std::iota(rows.begin(), rows.end(), 0);
  const auto own = std::span<const std::int32_t>(rows);
  const auto of_stems = own.first(texts.stems.ids.size());
  std::vector<std::int32_t> row_of_whole(of_stems.begin(), of_stems.end());
  std::vector<std::int32_t> whole_of_row(of_stems.begin(), of_stems.end());
  for (std::size_t b = 0; b < texts.stem_of.size(); ++b) {
    const auto branch = text_of(texts.branches, b);
    if (branch.empty()) continue;
    const auto stem_number = static_cast<std::size_t>(texts.stem_of[b]);
    const auto stem = text_of(texts.stems, stem_number);
    std::vector<std::int32_t> ids(stem.begin(), stem.end());
    ids.insert(ids.end(), branch.begin(), branch.end());
    whole.texts.add(ids);
    const auto stem_rows = own.subspan(static_cast<std::size_t>(texts.stems.offsets[stem_number]), stem.size());
    row_of_whole.insert(row_of_whole.end(), stem_rows.begin(), stem_rows.end());
    const auto first = static_cast<std::size_t>(texts.first_row_of_branch(static_cast<std::int64_t>(b)));
    for (const std::int32_t row : own.subspan(first, branch.size())) {
      whole_of_row.push_back(static_cast<std::int32_t>(row_of_whole.size()));
      row_of_whole.push_back(row);
    }
  }
  whole.row_of_whole.add(row_of_whole);
  whole.whole_of_row.add(whole_of_row);
  return whole;
}

Matrix Decoder::forward(const BranchedTexts& branched, Arena& arena) const {
  if (!config_.causal) {
    throw UserError(
        "texts share their beginning only where tokens do not see those after them, and the attention of "
        "this model looks both ways: it serves to embed with, not as a cross-encoder");
  }
  const Matrix x = arena.take(branched.tokens(), config_.hidden);
  if (x.rows == 0) return x;
  const WholeTexts whole = whole_texts(branched);
  const Arena::Scope scope(arena);
  const PackedTexts texts = backend_.place(whole.texts, arena);
  const SharedRows shared{backend_.place(whole.row_of_whole, arena), backend_.place(whole.whole_of_row, arena)};
  require_positions(texts);
  {
    const Arena::Scope of_whole(arena);
    const Matrix embedded = arena.take(texts.tokens, config_.hidden);
    embed(texts, embedded);
    backend_.embed(shared.whole_of_row, embedded, x);
  }
  if (embedding_norm_) norm(embedding_norm_, x, x, {});
  for (const Layer& layer : layers_) run_layer(texts, layer, arena, x, nullptr, &shared);
  norm(last_norm_, x, x, {});
  return x;
}

Projections Decoder::spread(const Projections& projections, const SharedRows& shared, Arena& arena) const {
  Projections whole;
  for (std::size_t i = 0; i < projections.parts.size() && projections.parts[i]; ++i) {
    const Matrix part = projections.parts[i];
    whole.parts[i] = arena.take(shared.row_of_whole.tokens, part.cols, part.type);
    backend_.embed(shared.row_of_whole, part, whole.parts[i]);  // rows by their numbers, as rows of a table by ids
  }
  return whole;
}

}  // namespace sgpt
