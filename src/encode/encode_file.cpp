// The journal is a JSON object {"job": {what was asked for}, "rows": N}, written after the rows that it counts are on
// the disk. Rows after them, of a chunk that was cut off, are cut away and computed again.
#include "encode/encode_file.h"

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "encode/model_identity.h"
#include "encode/npy.h"
#include "encode/prompts.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Json = nlohmann::json;

// A chunk is what is computed between two entries of the journal. It grows and shrinks so that a killed run loses
// little and a fast one is not held up by flushing.
constexpr std::size_t kSmallestChunk = 32;
constexpr std::size_t kFirstChunk = 128;
constexpr std::size_t kLargestChunk = 8192;
constexpr std::size_t kChunkBytes = std::size_t{64} << 20;
constexpr double kShortSeconds = 5;
constexpr double kLongSeconds = 30;

/// Changed whenever a file's texts, or how a text is prepared, become others.
constexpr int kReading = 2;

std::filesystem::path beside(const std::filesystem::path& file, const char* suffix) {
  std::filesystem::path result = file;
  result += suffix;
  return result;
}

bool can_continue(const EncodeFileJob& job) {
  std::error_code none;
  return std::filesystem::is_regular_file(job.input, none);
}

/// Everything that the rows depend on. Threads and token budget are not among it: they change no bit.
Json describe(const Encoder& encoder, const EncodeFileJob& job, std::optional<ComputeType> type = {}) {
  std::error_code none;
  return {{"model", model_identity(encoder)},
          {"options", embedding_key(encoder, job.kind, type)},
          {"kind", name_of(job.kind)},
          {"reading", kReading},
          {"format", static_cast<int>(job.format)},
          {"input", fmt::format("{}:{}:{}", std::filesystem::weakly_canonical(job.input, none).string(),
                                std::filesystem::file_size(job.input, none),
                                std::filesystem::last_write_time(job.input, none).time_since_epoch().count())}};
}

std::filesystem::path journal_of(const EncodeFileJob& job) { return beside(files::resolved(job.output), ".progress"); }

/// Null without one; else what is there, which may be anything.
Json read_journal(const std::filesystem::path& journal) {
  std::ifstream in(journal, std::ios::binary);
  return in ? Json::parse(in, nullptr, false) : Json();
}

/// How many rows of an earlier run can be kept; says why when there was one and none can.
std::int64_t rows_to_keep(const std::filesystem::path& journal, const Json& job, std::int64_t rows_there) {
  const Json found = read_journal(journal);
  if (found.is_null()) return 0;
  if (!found.is_object() || !found.contains("rows") || !found["rows"].is_number_integer() || !found.contains("job") ||
      !found["job"].is_object()) {
    log::warning(fmt::format("{}: not readable, so the encoding starts over", journal.string()));
    return 0;
  }
  std::vector<std::string> changed;
  for (const auto& [key, value] : job.items()) {
    if (found["job"].value(key, Json()) != value) changed.push_back(key);
  }
  if (!changed.empty()) {
    log::info(fmt::format("{}: an unfinished run is there, but its {} changed since: the encoding starts over",
                          journal.string(), fmt::join(changed, ", ")));
    return 0;
  }
  const auto rows = found["rows"].get<std::int64_t>();
  if (rows < 0 || rows > rows_there) {
    log::warning(fmt::format("{}: {} rows were written, but only {} are there: the encoding starts over",
                             journal.string(), rows, rows_there));
    return 0;
  }
  if (rows > 0) log::info(fmt::format("continuing an unfinished run after {} texts", rows));
  return rows;
}

struct Chunk {
  std::vector<std::string> texts;
  std::vector<std::string> places;
};

/// At most so many texts; none at the end.
Chunk read_chunk(TextSource& source, std::size_t size) {
  Chunk chunk;
  std::size_t bytes = 0;
  std::string text;
  while (chunk.texts.size() < size && bytes < kChunkBytes && source.next(text)) {
    bytes += text.size();
    chunk.texts.push_back(std::move(text));
    chunk.places.push_back(source.place());
  }
  return chunk;
}

}  // namespace

std::int64_t encode_file(const EncoderTeam& team, const EncodeFileJob& job) {
  TextSource source(job.input, job.format);
  NpyRows rows(job.output, team.encoder().dimension(), can_continue(job));
  const std::filesystem::path journal = journal_of(job);
  const bool journaled = rows.keeps();
  const Json description = journaled ? describe(team.encoder(), job) : Json();
  rows.truncate(journaled ? rows_to_keep(journal, description, rows.rows()) : 0);

  std::string text;
  for (std::int64_t skipped = 0; skipped < rows.rows(); ++skipped) {
    if (!source.next(text))
      throw UserError(fmt::format("{}: the file became shorter while it was read", job.input.string()));
  }
  job.on_rows(rows.rows());
  std::size_t size = kFirstChunk;
  for (Chunk chunk; chunk = read_chunk(source, size), !chunk.texts.empty();) {
    const auto start = std::chrono::steady_clock::now();
    rows.append(team.encode(chunk.texts, job.kind, chunk.places).values);
    if (journaled) {
      rows.flush();
      write_file(journal, Json{{"job", description}, {"rows", rows.rows()}}.dump());
    }
    job.on_rows(rows.rows());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds < kShortSeconds) size = std::min(size * 2, kLargestChunk);
    if (seconds > kLongSeconds) size = std::max(size / 2, kSmallestChunk);
  }
  rows.finish();
  if (journaled) files::remove_all(journal);
  return rows.rows();
}

std::optional<ComputeType> recorded_compute_type(const Encoder& encoder, const EncodeFileJob& job) {
  const Json found = read_journal(journal_of(job));
  if (!found.is_object() || !found.contains("job") || !can_continue(job)) return std::nullopt;
  return matching_type(encoder, [&](ComputeType type) { return found["job"] == describe(encoder, job, type); });
}

}  // namespace sgpt
