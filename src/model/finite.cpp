// A value is not finite when all its exponent bits are set: integer work that the compiler turns into vector code.
#include "model/finite.h"

#include <algorithm>
#include <cstring>

namespace sgpt {
namespace {

constexpr std::int64_t kBlock = 4096;  // values looked at between two stores to memory: small enough for the stack

template <class Bits>
bool finite(const void* data, std::int64_t count, Bits exponent) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (count > kBlock)
  for (std::int64_t first = 0; first < count; first += kBlock) {
    Bits block[kBlock];
    const std::int64_t size = std::min(kBlock, count - first);
    std::memcpy(block, bytes + static_cast<std::size_t>(first) * sizeof(Bits),
                static_cast<std::size_t>(size) * sizeof(Bits));
    int found = 0;
    for (std::int64_t i = 0; i < size; ++i) found |= (block[i] & exponent) == exponent;
    bad |= found;
  }
  return bad == 0;
}

}  // namespace

bool all_finite(ConstMatrix values) {
  switch (values.type) {
    case DType::f16: return finite<std::uint16_t>(values.data, values.size(), 0x7c00);
    case DType::bf16: return finite<std::uint16_t>(values.data, values.size(), 0x7f80);
    default: return finite<std::uint32_t>(values.data, values.size(), 0x7f800000);
  }
}

}  // namespace sgpt
