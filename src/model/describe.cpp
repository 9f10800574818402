#include "model/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

namespace sgpt {

std::string shown_shape(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) return 0;
    if (product > std::numeric_limits<std::int64_t>::max() / size) return std::nullopt;
    product *= size;
  }
  return product;
}

std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, DType type) {
  const std::optional<std::int64_t> elements = element_count(shape);
  const auto size = static_cast<std::int64_t>(size_of(type));
  if (!elements || *elements > std::numeric_limits<std::int64_t>::max() / size) return std::nullopt;
  return static_cast<std::uint64_t>(*elements * size);
}

}  // namespace sgpt
