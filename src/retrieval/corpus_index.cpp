#include "retrieval/corpus_index.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/filesystem.h"
#include "base/json_lines.h"
#include "base/log.h"
#include "base/mapped_text.h"
#include "base/progress.h"
#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "encode/text_source.h"
#include "retrieval/chunk_pacer.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

std::string fingerprint_of(std::string_view corpus) {
  const XXH128_hash_t hash = XXH3_128bits(corpus.data(), corpus.size());
  return fmt::format("{} {:016x}{:016x}", corpus.size(), hash.high64, hash.low64);
}

/// Everything that the embeddings depend on.
std::string key_of(const Encoder& encoder, const std::string& corpus_fingerprint,
                   std::optional<ComputeType> type = {}) {
  return fmt::format("corpus {}\nmodel {}\noptions {}", corpus_fingerprint, model_identity(encoder),
                     embedding_key(encoder, TextKind::document, type));
}

/// The cache that was asked for, or the default, which lies beside the corpus.
std::filesystem::path settle_cache(const Encoder& encoder, const std::filesystem::path& corpus_jsonl,
                                   std::filesystem::path cache) {
  if (!cache.empty()) return cache;
  std::error_code none;
  if (std::filesystem::exists(corpus_jsonl, none) && !std::filesystem::is_regular_file(corpus_jsonl, none)) {
    throw UserError(
        fmt::format("{}: is no regular file, and has no place beside it for the embeddings of its documents; name one "
                    "with --cache FILE",
                    corpus_jsonl.string()));
  }
  return CorpusIndex::default_cache(encoder, corpus_jsonl);
}

}  // namespace

CorpusIndex::CorpusIndex(const EncoderTeam& team, const std::filesystem::path& corpus_jsonl,
                         std::filesystem::path cache)
    : team_(team) {
  const Encoder& encoder = team.encoder();
  cache = settle_cache(encoder, corpus_jsonl, std::move(cache));
  corpus_ = map_text(corpus_jsonl, cache.parent_path());
  const std::string key = key_of(encoder, fingerprint_of(corpus_.text()));
  std::string reason;
  cache_ = CorpusCache::open(cache, key, encoder.dimension(), reason);
  if (cache_) return;
  if (!reason.empty()) log::info(fmt::format("{}: {}; it is made anew", cache.string(), reason));
  build(cache, key);
  cache_ = CorpusCache::open(cache, key, encoder.dimension(), reason);
  if (!cache_) throw MachineError(fmt::format("{}: cannot be read back: {}", cache.string(), reason));
}

std::filesystem::path CorpusIndex::default_cache(const Encoder& encoder, const std::filesystem::path& corpus_jsonl) {
  return fmt::format("{}.{}.sgpt-cache", corpus_jsonl.string(), file_name_of(encoder.parts().folder.name));
}

std::optional<ComputeType> CorpusIndex::recorded_compute_type(const Encoder& encoder,
                                                              const std::filesystem::path& corpus_jsonl,
                                                              std::filesystem::path cache) {
  if (!files::is_regular(corpus_jsonl)) return std::nullopt;  // a stream cannot be read twice
  cache = settle_cache(encoder, corpus_jsonl, std::move(cache));
  const std::string fingerprint = fingerprint_of(map_text(corpus_jsonl, cache.parent_path()).text());
  for (const std::filesystem::path& file : {cache, CorpusCache::partial(cache)}) {
    const auto found = matching_type(encoder, [&](ComputeType type) {
      return CorpusCache::is_of(file, key_of(encoder, fingerprint, type), encoder.dimension());
    });
    if (found) return found;
  }
  return std::nullopt;
}

void CorpusIndex::build(const std::filesystem::path& cache, std::string_view key) const {
  CorpusCacheWriter writer(cache, key, team_.encoder().dimension());
  const std::int64_t finished = writer.rows();
  if (finished > 0) log::info(fmt::format("{}: {} documents were embedded before", cache.string(), finished));
  Progress progress("embedding the corpus", "documents", count_texts(stream(), corpus_.path(), TextFormat::json_lines));
  CorpusReader corpus(stream());
  std::vector<std::uint64_t> offsets;
  std::vector<std::string> contents;
  std::vector<std::string> places;
  ChunkPacer chunk;  // what a killed run computes again is one chunk
  for (bool more = true; more;) {
    Document document;
    offsets.clear();
    contents.clear();
    places.clear();
    while (contents.size() < chunk.size() && (more = corpus.next(document))) {
      if (corpus.documents() <= finished) continue;
      offsets.push_back(corpus.offset());
      contents.push_back(std::move(document.content));
      places.push_back(corpus.place());
    }
    chunk.begin();
    writer.append(offsets, team_.encode_documents(contents, places).values);
    chunk.end();
    progress.update(corpus.documents() + corpus.dropped());
  }
  writer.finish();
}

Similarity folder_similarity(const Encoder& encoder) { return encoder.parts().folder.sentences.similarity; }

TextStream CorpusIndex::stream(std::uint64_t from) const {
  return TextStream(ByteSource(corpus_.path().string(), corpus_.bytes().subspan(from)));
}

std::vector<std::vector<Hit>> CorpusIndex::search(std::span<const std::string> queries, std::int64_t top_k,
                                                  TextPlaces places, std::optional<Similarity> similarity) const {
  const EncoderOptions& options = team_.encoder().options();
  ExactSearch search(team_.encode_queries(queries, places),
                     {.top_k = top_k,
                      .similarity = similarity.value_or(folder_similarity(team_.encoder())),
                      .threads = options.threads,
                      .backend = options.backend});
  for (const CorpusChunk& chunk : cache_->chunks()) search.add(chunk.embeddings);
  return search.hits();
}

Document CorpusIndex::document(std::int64_t row) const {
  const std::uint64_t offset = cache_->offset(row);
  if (offset < corpus_.bytes().size()) {
    JsonLineReader reader(stream(offset), JsonLayout::elements);
    if (reader.next()) return read_document(reader);
  }
  throw UserError(fmt::format("{}: no document begins at byte {}; was the file changed during the search?",
                              corpus_.path().string(), offset));
}

}  // namespace sgpt
