// Rows of the embedding tables, of ids and of positions, and the gradients of the tables.
#include "backend/reference/reference_backend.h"

#include "backend/checks.h"

namespace sgpt::reference {

void ReferenceBackend::embed(const PackedTexts& texts, ConstMatrix table, Matrix x, float factor) {
  checks::embeds(texts, table, x);
  for (std::int64_t t = 0; t < texts.tokens; ++t) {
    for (std::int64_t c = 0; c < x.cols; ++c) x.f32_row(t)[c] = factor * float_at(table, texts.ids[t], c);
  }
}

void ReferenceBackend::embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable, float factor) {
  checks::embeds_backward(texts, dx, dtable);
  for (std::int64_t t = 0; t < texts.tokens; ++t) {
    for (std::int64_t c = 0; c < dx.cols; ++c) dtable.f32_row(texts.ids[t])[c] += factor * dx.f32_row(t)[c];
  }
}

void ReferenceBackend::add_positions(const PackedTexts& texts, ConstMatrix table, Matrix x) {
  checks::adds_positions(texts, table, x);
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    for (std::int64_t t = texts.offsets[b]; t < texts.offsets[b + 1]; ++t) {
      for (std::int64_t c = 0; c < x.cols; ++c) x.f32_row(t)[c] += float_at(table, t - texts.offsets[b], c);
    }
  }
}

void ReferenceBackend::add_positions_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) {
  checks::adds_positions(texts, dtable, dx);
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    for (std::int64_t t = texts.offsets[b]; t < texts.offsets[b + 1]; ++t) {
      for (std::int64_t c = 0; c < dx.cols; ++c) dtable.f32_row(t - texts.offsets[b])[c] += dx.f32_row(t)[c];
    }
  }
}

}  // namespace sgpt::reference
