#include "retrieval/corpus_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <xxhash.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kMagic = "sgptemb1";
constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kHeader = 5 * kWord;
constexpr std::string_view kExtension = ".sgpt-cache";

void append_word(std::string& bytes, std::uint64_t word) { bytes.append(reinterpret_cast<const char*>(&word), kWord); }

std::uint64_t word_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t word;
  std::memcpy(&word, bytes.data() + offset, kWord);
  return word;
}

void append_checksum(std::string& bytes) { append_word(bytes, XXH3_64bits(bytes.data(), bytes.size())); }

/// Whether a piece ends with the checksum of what stands before.
bool is_sound(std::string_view piece) {
  return word_at(piece, piece.size() - kWord) == XXH3_64bits(piece.data(), piece.size() - kWord);
}

std::string header_of(std::string_view key, std::int64_t dimension) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  std::string header(kMagic);
  append_word(header, static_cast<std::uint64_t>(dimension));
  append_word(header, hash.low64);
  append_word(header, hash.high64);
  append_checksum(header);
  return header;
}

struct ChunkLayout {
  std::size_t embeddings;  // where they begin
  std::size_t bytes;       // of the whole chunk
};

ChunkLayout layout_of(std::size_t rows, std::size_t dimension) {
  const std::size_t embeddings = kWord + rows * kWord;
  const std::size_t end = embeddings + rows * dimension * sizeof(float);
  return {embeddings, (end + kWord - 1) / kWord * kWord + kWord};
}

/// What a file holds after its header.
struct Content {
  std::vector<CorpusChunk> chunks;
  std::int64_t rows = 0;
  std::size_t sound_bytes = 0;  // up to the end of the last chunk that is whole
  bool complete = false;        // the end mark is there, and nothing behind it
};

Content read_content(std::string_view bytes, std::size_t dimension) {
  Content content;
  content.sound_bytes = kHeader;
  for (;;) {
    const std::string_view rest = bytes.substr(content.sound_bytes);
    if (rest.size() < 3 * kWord) return content;
    const std::uint64_t rows = word_at(rest, 0);
    if (rows == 0) {
      content.complete = rest.size() == 3 * kWord && is_sound(rest) &&
                         word_at(rest, kWord) == static_cast<std::uint64_t>(content.rows);
      return content;
    }
    // Division first: a number of rows that lies must not overflow.
    if (rows > rest.size() / (kWord + dimension * sizeof(float))) return content;
    const ChunkLayout layout = layout_of(rows, dimension);
    if (layout.bytes > rest.size() || !is_sound(rest.substr(0, layout.bytes))) return content;
    content.chunks.push_back({{reinterpret_cast<const std::uint64_t*>(rest.data() + kWord), rows},
                              {reinterpret_cast<const float*>(rest.data() + layout.embeddings), rows * dimension}});
    content.rows += static_cast<std::int64_t>(rows);
    content.sound_bytes += layout.bytes;
  }
}

}  // namespace

std::optional<CorpusCache> CorpusCache::open(const std::filesystem::path& file, std::string_view key,
                                             std::int64_t dimension, std::string& reason) {
  reason.clear();
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return std::nullopt;
  CorpusCache cache;
  cache.file_ = MappedFile(file);
  const std::string_view bytes = cache.file_.text();
  if (!bytes.empty() && !bytes.starts_with(kMagic) && file.extension() != kExtension) {
    throw UserError(fmt::format("{}: is no cache of embeddings; name another file, or remove this one", file.string()));
  }
  if (bytes.size() < kHeader || !bytes.starts_with(kMagic) || !is_sound(bytes.substr(0, kHeader))) {
    reason = "its beginning is broken";
    return std::nullopt;
  }
  if (bytes.substr(0, kHeader) != header_of(key, dimension)) {
    reason = "it belongs to another model, other options or another corpus";
    return std::nullopt;
  }
  Content content = read_content(bytes, static_cast<std::size_t>(dimension));
  if (!content.complete) {
    reason = fmt::format("it is broken after byte {}", content.sound_bytes);
    return std::nullopt;
  }
  for (const CorpusChunk& chunk : content.chunks) {
    cache.first_rows_.push_back(cache.rows_);
    cache.rows_ += static_cast<std::int64_t>(chunk.offsets.size());
  }
  cache.chunks_ = std::move(content.chunks);
  return cache;
}

bool CorpusCache::is_of(const std::filesystem::path& file, std::string_view key, std::int64_t dimension) {
  std::string beginning(kHeader, '\0');
  std::ifstream in(file, std::ios::binary);
  return in.read(beginning.data(), kHeader) && beginning == header_of(key, dimension);
}

std::filesystem::path CorpusCache::partial(const std::filesystem::path& file) { return file.string() + ".partial"; }

std::uint64_t CorpusCache::offset(std::int64_t row) const {
  const auto after = std::upper_bound(first_rows_.begin(), first_rows_.end(), row);
  const auto chunk = static_cast<std::size_t>(after - first_rows_.begin()) - 1;
  return chunks_[chunk].offsets[static_cast<std::size_t>(row - first_rows_[chunk])];
}

CorpusCacheWriter::CorpusCacheWriter(const std::filesystem::path& file, std::string_view key, std::int64_t dimension)
    : target_(file), partial_(CorpusCache::partial(file)), dimension_(dimension) {
  open_locked();
  const std::string header = header_of(key, dimension);
  std::size_t keep = 0;
  {
    const MappedFile before(partial_);
    if (before.text().starts_with(header)) {
      const Content content = read_content(before.text(), static_cast<std::size_t>(dimension));
      keep = content.sound_bytes;
      rows_ = content.rows;
    }
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(keep)) != 0) fail("cutting");
  if (::lseek(descriptor_, 0, SEEK_END) < 0) fail("seeking in");
  if (keep == 0) write(header);
}

CorpusCacheWriter::~CorpusCacheWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// Opens the partial file, which no other process may be writing.
void CorpusCacheWriter::open_locked() {
  for (;;) {
    descriptor_ = ::open(partial_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      throw UserError(fmt::format("{}: cannot be written: {}; --cache names another place for the embeddings",
                                  partial_.string(), std::strerror(errno)));
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      descriptor_ = -1;
      throw UserError(
          fmt::format("{}: another process is making this cache; wait until it is done, or name another file "
                      "with --cache",
                      target_.string()));
    }
    // Between opening and locking, another process may have finished the file and given it its name.
    struct stat ours {};
    struct stat named {};
    if (::fstat(descriptor_, &ours) == 0 && ::stat(partial_.c_str(), &named) == 0 && ours.st_ino == named.st_ino)
      return;
    ::close(descriptor_);
  }
}

void CorpusCacheWriter::append(std::span<const std::uint64_t> offsets, std::span<const float> embeddings) {
  if (offsets.empty()) return;
  const ChunkLayout layout = layout_of(offsets.size(), static_cast<std::size_t>(dimension_));
  std::string chunk;
  chunk.reserve(layout.bytes);
  append_word(chunk, offsets.size());
  chunk.append(reinterpret_cast<const char*>(offsets.data()), offsets.size_bytes());
  chunk.append(reinterpret_cast<const char*>(embeddings.data()), embeddings.size_bytes());
  chunk.resize(layout.bytes - kWord);
  append_checksum(chunk);
  write(chunk);
  rows_ += static_cast<std::int64_t>(offsets.size());
}

void CorpusCacheWriter::finish() {
  std::string end;
  append_word(end, 0);
  append_word(end, static_cast<std::uint64_t>(rows_));
  append_checksum(end);
  write(end);
  if (::fsync(descriptor_) != 0) fail("flushing");
  if (::rename(partial_.c_str(), target_.c_str()) != 0) fail("renaming");
}

void CorpusCacheWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("writing");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void CorpusCacheWriter::fail(const char* what) const {
  throw MachineError(fmt::format("{}: {} failed: {}", partial_.string(), what, std::strerror(errno)));
}

}  // namespace sgpt
