// The last embeddings, by their whole inputs. It can never change an answer: equal inputs have equal embeddings.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>

#include "serve/work.h"

namespace sgpt::serve {

/// No lock: its owner has one.
class EmbeddingCache {
 public:
  /// Keeps at most so many bytes; 0: nothing.
  explicit EmbeddingCache(std::size_t bytes) : limit_(bytes) {}

  /// Null when it is not there.
  Row find(const Input& input);
  void put(const Input& input, const Row& row);
  void clear();

  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return places_.size(); }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  struct Kept {
    const Input* input;
    Row row;
  };
  static std::size_t bytes_of(const Input& input, const Row& row);

  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::list<Kept> kept_;  // the last asked for in front
  std::unordered_map<Input, std::list<Kept>::iterator, InputHash> places_;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace sgpt::serve
