#include "sgpt/encode_call.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "encode/encoder_parts.h"
#include "encode/text_places.h"

namespace sgpt {
namespace {

constexpr std::size_t kPiece = 2048;  // texts that are tokenized before go_on is asked again

/// How texts are read in this call, where it is not the encoder's own way.
std::optional<TextPreparation> own_preparation(const Encoder::Parts& parts, const EncodeCall& call) {
  const EncoderOptions& options = parts.options;
  const bool same_prompt = !call.prompt || *call.prompt == parts.preparation.prompt(call.kind);
  const bool same_length = !call.max_seq_length || *call.max_seq_length == *options.max_seq_length;
  if (same_prompt && same_length) return std::nullopt;
  std::int64_t length = call.max_seq_length.value_or(*options.max_seq_length);
  if (const std::int64_t longest = parts.folder.config.longest_text; longest > 0) length = std::min(length, longest);
  TextPreparation::Options own{.brackets = options.brackets,
                               .max_seq_length = length,
                               .query_prompt = options.query_prompt,
                               .document_prompt = options.document_prompt,
                               .plain_prompt = options.plain_prompt,
                               .append_eos_token = options.append_eos_token};
  PromptChoice& prompt = call.kind == TextKind::query      ? own.query_prompt
                         : call.kind == TextKind::document ? own.document_prompt
                                                           : own.plain_prompt;
  if (call.prompt) prompt = {.text = call.prompt};
  return TextPreparation(parts.preparation.tokenizer(), parts.folder, own);
}

/// Of texts that are a piece of the caller's: what messages call them.
std::vector<std::string> places_of(std::size_t first, std::size_t count, std::size_t texts) {
  std::vector<std::string> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(place_of(first + i, texts, {}));
  return places;
}

}  // namespace

Embeddings encode(const Encoder& encoder, std::span<const std::string> texts, const EncodeCall& call) {
  const Encoder::Parts& parts = encoder.parts();
  const std::optional<TextPreparation> own = own_preparation(parts, call);
  EncodingWay way{.preparation = own ? &*own : nullptr, .form = parts.head.form(), .on_texts = {}};
  if (call.truncate_dim) way.form.first = call.truncate_dim;
  if (call.normalize) way.form.normalize = *call.normalize;
  std::size_t before = 0;  // texts of the pieces that are done
  const auto ask = [&](std::int64_t done) {
    const auto all = static_cast<std::int64_t>(before) + done;
    if (!call.go_on(all)) throw Stopped(fmt::format("encoding was stopped after {} of {} texts", all, texts.size()));
  };
  if (!call.go_on || texts.empty()) return parts.encode(texts, call.kind, {}, way);
  way.on_texts = ask;
  ask(0);
  if (texts.size() <= kPiece) return parts.encode(texts, call.kind, {}, way);
  Embeddings result;
  result.rows = static_cast<std::int64_t>(texts.size());
  result.dimension = parts.head.dimension(way.form);
  result.values.reserve(texts.size() * static_cast<std::size_t>(result.dimension));
  for (; before < texts.size(); before += kPiece) {
    const auto piece = texts.subspan(before, std::min(kPiece, texts.size() - before));
    const Embeddings e = parts.encode(piece, call.kind, places_of(before, piece.size(), texts.size()), way);
    result.values.insert(result.values.end(), e.values.begin(), e.values.end());
    for (const std::size_t row : e.cut) result.cut.push_back(before + row);
  }
  return result;
}

std::vector<std::int32_t> tokenize(const Encoder& encoder, const std::string& text, const EncodeCall& call) {
  const std::optional<TextPreparation> own = own_preparation(encoder.parts(), call);
  return (own ? *own : encoder.parts().preparation).ids(text, call.kind);
}

}  // namespace sgpt
