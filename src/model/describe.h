// How messages speak of tensors in a file: their shapes, and the bytes that a shape takes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "formats/shown.h"
#include "tensor/dtype.h"

namespace sgpt {

/// "[250880, 1024]".
std::string shown_shape(std::span<const std::int64_t> shape);

/// The number of elements; nothing when a size is negative or the product does not fit into 63 bits.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);

/// The number of bytes; nothing when element_count has nothing, or the product does not fit into 63 bits.
std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, DType type);

}  // namespace sgpt
