// The memory that activations live in during one pass: taken piece by piece, given back all at once or down to a mark,
// and kept for the next pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/memory.h"

namespace sgpt {

/// Not thread-safe: one arena a pass.
class Arena {
 public:
  explicit Arena(Memory& memory) : memory_(&memory) {}

  /// A matrix with undefined content, aligned to 64 bytes; valid until the arena is released below it.
  Matrix take(std::int64_t rows, std::int64_t cols, DType type = DType::f32);

  /// Where the arena stands now; release(mark) gives back all that was taken since.
  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
  };
  Mark mark() const { return {current_, used_}; }
  void release(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
  }

  /// Bytes held, whether taken or not.
  std::size_t capacity() const;

  /// Releases what was taken in a scope.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Scope() { arena_.release(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    Mark mark_;
  };

 private:
  Memory* memory_;
  std::vector<Buffer> blocks_;
  std::size_t current_ = 0;  // the block in use; blocks_.size() when none is left
  std::size_t used_ = 0;     // bytes taken of it
};

}  // namespace sgpt
