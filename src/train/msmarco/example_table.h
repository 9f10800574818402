// The training examples that the hard negatives and the scores lead to, kept in a file and mapped from there: which
// query, which positives, which negatives. The file says what it was made from and is made anew when that changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace sgpt {

struct MsMarcoExample {
  std::uint64_t query = 0;       ///< where its text begins in the file of queries
  std::uint64_t first_link = 0;  ///< rows of the collection: the positives from here on, then the negatives
  std::uint32_t positives = 0;
  std::uint32_t negatives = 0;
};

class ExampleTable {
 public:
  /// Nothing when there is no such file, or one that is not whole or was made from something else than `key` says.
  static std::optional<ExampleTable> open(const std::filesystem::path& path, std::string_view key);

  std::int64_t size() const { return static_cast<std::int64_t>(examples_.size()); }
  const MsMarcoExample& operator[](std::int64_t i) const { return examples_[static_cast<std::size_t>(i)]; }
  std::span<const std::uint32_t> positives(const MsMarcoExample& example) const {
    return links_.subspan(example.first_link, example.positives);
  }
  std::span<const std::uint32_t> negatives(const MsMarcoExample& example) const {
    return links_.subspan(example.first_link + example.positives, example.negatives);
  }

 private:
  MappedFile file_;
  std::span<const std::uint32_t> links_;
  std::span<const MsMarcoExample> examples_;
};

/// Writes the file: the links as they come, so that they need not be in memory.
class ExampleTableWriter {
 public:
  ExampleTableWriter(const std::filesystem::path& path, std::string_view key) : file_(path), key_(key) {}

  void add(std::uint64_t query, std::span<const std::uint32_t> positives, std::span<const std::uint32_t> negatives);
  std::int64_t size() const { return static_cast<std::int64_t>(examples_.size()); }
  void commit();

 private:
  AtomicFile file_;
  std::string key_;
  std::vector<MsMarcoExample> examples_;
  std::uint64_t links_ = 0;
};

}  // namespace sgpt
