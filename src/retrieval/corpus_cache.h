// Embeddings of a corpus, kept in a file between searches. The file grows chunk by chunk, each with a checksum, under
// the name FILE.partial until it is whole; what a killed run left there is taken up again.
//
// Layout, little-endian, 8-byte aligned: a header {magic, dimension d, 128-bit hash of the key, checksum}, then chunks
// {rows, u64 offsets[rows], f32 embeddings[rows, d], padding, checksum}, and at the end {0, rows of all chunks,
// checksum}.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"

namespace sgpt {

/// A piece of the corpus; views into the file.
struct CorpusChunk {
  std::span<const std::uint64_t> offsets;  // [rows] where each document's line begins in the corpus
  std::span<const float> embeddings;       // [rows, d]
};

/// A whole cache, mapped. Movable; const member functions are thread-safe.
class CorpusCache {
 public:
  /// Opens the cache that was made for `key` (everything that the embeddings depend on). Nothing when there is none
  /// that can be used; `reason` says why then, and is empty when the file does not exist. Throws UserError when the
  /// file is something else altogether, so that nobody's file is written over.
  static std::optional<CorpusCache> open(const std::filesystem::path& file, std::string_view key,
                                         std::int64_t dimension, std::string& reason);

  /// Whether a file, whole or not, begins as the cache for `key` does.
  static bool is_of(const std::filesystem::path& file, std::string_view key, std::int64_t dimension);
  /// Where a cache grows until it is whole.
  static std::filesystem::path partial(const std::filesystem::path& file);

  std::span<const CorpusChunk> chunks() const { return chunks_; }
  std::int64_t rows() const { return rows_; }
  /// Where the line of a document begins in the corpus.
  std::uint64_t offset(std::int64_t row) const;

 private:
  MappedFile file_;
  std::vector<CorpusChunk> chunks_;
  std::vector<std::int64_t> first_rows_;  // of each chunk
  std::int64_t rows_ = 0;
};

/// Writes a cache. Throws MachineError when the disk is full or fails, UserError when the folder is missing or not
/// writable, or another process is writing the same cache.
class CorpusCacheWriter {
 public:
  CorpusCacheWriter(const std::filesystem::path& file, std::string_view key, std::int64_t dimension);
  ~CorpusCacheWriter();
  CorpusCacheWriter(const CorpusCacheWriter&) = delete;
  CorpusCacheWriter& operator=(const CorpusCacheWriter&) = delete;

  /// Rows that are there already: at the beginning, what an earlier run with the same key had finished.
  std::int64_t rows() const { return rows_; }
  void append(std::span<const std::uint64_t> offsets, std::span<const float> embeddings);
  /// Marks the file as whole, puts it on the disk and gives it its name.
  void finish();

 private:
  void open_locked();
  void write(std::string_view bytes);
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path target_;
  std::filesystem::path partial_;
  std::int64_t dimension_;
  std::int64_t rows_ = 0;
  int descriptor_ = -1;
};

}  // namespace sgpt
