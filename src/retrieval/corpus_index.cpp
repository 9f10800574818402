#include "retrieval/corpus_index.h"

#include <algorithm>

#include <fmt/format.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/progress.h"
#include "encode/model_identity.h"
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
                     embedding_key(encoder, type));
}

/// Where lines begin; asked for ascending numbers.
class LineOffsets {
 public:
  explicit LineOffsets(std::string_view text) : text_(text) {}

  /// `line` counts from 1.
  std::uint64_t of(std::int64_t line) {
    for (; line_ < line; ++line_) offset_ = text_.find('\n', offset_) + 1;
    return offset_;
  }

 private:
  std::string_view text_;
  std::int64_t line_ = 1;
  std::size_t offset_ = 0;
};

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return "";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

}  // namespace

CorpusIndex::CorpusIndex(const EncoderTeam& team, const std::filesystem::path& corpus_jsonl,
                         std::filesystem::path cache)
    : team_(team), corpus_file_(corpus_jsonl), corpus_(corpus_jsonl) {
  const Encoder& encoder = team.encoder();
  if (cache.empty()) cache = default_cache(encoder, corpus_jsonl);
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
  return fmt::format("{}.{}.sgpt-cache", corpus_jsonl.string(), DataSetFolder{encoder.folder()}.name());
}

std::optional<ComputeType> CorpusIndex::recorded_compute_type(const Encoder& encoder,
                                                              const std::filesystem::path& corpus_jsonl,
                                                              std::filesystem::path cache) {
  if (cache.empty()) cache = default_cache(encoder, corpus_jsonl);
  const std::string fingerprint = fingerprint_of(MappedFile(corpus_jsonl).text());
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
  const std::string_view text = corpus_.text();
  const std::int64_t finished = writer.rows();
  if (finished > 0) log::info(fmt::format("{}: {} documents were embedded before", cache.string(), finished));
  Progress progress("embedding the corpus", "documents", std::count(text.begin(), text.end(), '\n'));
  CorpusReader corpus(corpus_file_);
  LineOffsets lines(text);
  std::vector<std::uint64_t> offsets;
  std::vector<std::string> contents;
  ChunkPacer chunk;  // what a killed run computes again is one chunk
  for (bool more = true; more;) {
    Document document;
    offsets.clear();
    contents.clear();
    while (contents.size() < chunk.size() && (more = corpus.next(document))) {
      if (corpus.documents() <= finished) continue;
      offsets.push_back(lines.of(corpus.line()));
      contents.push_back(std::move(document.content));
    }
    chunk.begin();
    writer.append(offsets, team_.encode_documents(contents).values);
    chunk.end();
    progress.update(corpus.documents() + corpus.dropped());
  }
  writer.finish();
}

std::vector<std::vector<Hit>> CorpusIndex::search(std::span<const std::string> queries, std::int64_t top_k) const {
  const EncoderOptions& options = team_.encoder().options();
  ExactSearch search(
      team_.encode_queries(queries),
      {.top_k = top_k, .similarity = Similarity::cosine, .threads = options.threads, .backend = options.backend});
  for (const CorpusChunk& chunk : cache_->chunks()) search.add(chunk.embeddings);
  return search.hits();
}

Document CorpusIndex::document(std::int64_t row) const {
  const std::string_view text = corpus_.text();
  const std::uint64_t offset = cache_->offset(row);
  if (offset >= text.size()) {
    throw UserError(fmt::format("{}: is shorter than its cache says", corpus_file_.string()));
  }
  const std::string_view line = text.substr(offset, text.find('\n', offset) - offset);
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) {
    throw UserError(fmt::format("{}: byte {}: expected a JSON object; was the file changed during the search?",
                                corpus_file_.string(), offset));
  }
  return make_document(text_of(object, "_id"), text_of(object, "title"), text_of(object, "text"));
}

}  // namespace sgpt
