// Lines of training data: under which keys their texts stand (this program's own names, and those of
// sentence-transformers, tevatron and FlagEmbedding), and what in them was surely not meant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/json_lines.h"

namespace sgpt {

/// What is odd in a file: each kind of oddness is told once, with its first place and how often it was seen.
class Remarks {
 public:
  /// `place`: "FILE:LINE" or its like.
  void add(std::string_view what, std::string place);
  void warn() const;

 private:
  struct Remark {
    std::string what;
    std::string first_place;
    std::int64_t count = 0;
  };
  std::vector<Remark> remarks_;
};

/// Equal for texts that are equal without the white space around them.
std::uint64_t hash_of_text(std::string_view text);

struct ExampleLine {
  std::string query;
  std::vector<std::string> positives;
  std::vector<std::string> negatives;
};

class ExampleLines {
 public:
  explicit ExampleLines(const std::filesystem::path& path) : line_(path) {}

  /// False at the end. Throws UserError naming file and line when a line is broken, or has no query or no positive.
  bool next(ExampleLine& example);
  std::string place() const { return line_.place(); }  ///< of the line last read

  /// Of the lines read: keys that are not used, texts that are empty, and what cannot be learnt.
  const Remarks& remarks() const { return remarks_; }

 private:
  void look_at(const ExampleLine& example);
  void look_at_empty_and_repeated(std::string_view role, const std::vector<std::string>& texts,
                                  std::vector<std::uint64_t>& hashes);

  JsonLineReader line_;
  Remarks remarks_;
  std::unordered_set<std::uint64_t> pairs_;  // of query and positive
};

}  // namespace sgpt
