// The rows of the embedding table, and the gradient of the table.
#include "backend/reference/reference_backend.h"

#include "backend/checks.h"

namespace sgpt::reference {

void ReferenceBackend::embed(const PackedTexts& texts, ConstMatrix table, Matrix x) {
  checks::embeds(texts, table, x);
  for (std::int64_t t = 0; t < texts.tokens; ++t) {
    for (std::int64_t c = 0; c < x.cols; ++c) x.f32_row(t)[c] = float_at(table, texts.ids[t], c);
  }
}

void ReferenceBackend::embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) {
  checks::embeds_backward(texts, dx, dtable);
  for (std::int64_t t = 0; t < texts.tokens; ++t) {
    for (std::int64_t c = 0; c < dx.cols; ++c) dtable.f32_row(texts.ids[t])[c] += dx.f32_row(t)[c];
  }
}

}  // namespace sgpt::reference
