#include "tensor/arena.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestBlock = std::size_t{4} << 20;

}  // namespace

Matrix Arena::take(std::int64_t rows, std::int64_t cols, DType type) {
  std::size_t wanted = 0;
  if (rows < 0 || cols < 0 || __builtin_mul_overflow(rows, cols, &wanted) ||
      __builtin_mul_overflow(wanted, size_of(type), &wanted) || wanted > std::numeric_limits<std::ptrdiff_t>::max()) {
    throw MachineError(fmt::format("a matrix of {} × {} {} does not fit in any memory", rows, cols, name_of(type)));
  }
  const std::size_t bytes = std::max((wanted + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  while (current_ < blocks_.size() && blocks_[current_].bytes() - used_ < bytes) {
    ++current_;
    used_ = 0;
  }
  if (current_ == blocks_.size()) {
    // Twice what there is, so that the number of blocks stays small however the demand grows.
    blocks_.emplace_back(*memory_, std::max({bytes, kSmallestBlock, capacity()}));
    used_ = 0;
  }
  auto* data = static_cast<std::byte*>(blocks_[current_].data()) + used_;
  used_ += bytes;
  return {data, rows, cols, type};
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const Buffer& block : blocks_) total += block.bytes();
  return total;
}

}  // namespace sgpt
