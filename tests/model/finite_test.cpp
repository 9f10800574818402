// The search for NaN and infinities, in every type and at every place.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "model/finite.h"

namespace sgpt {
namespace {

template <class Bits>
void expect_found_everywhere(DType type, Bits largest, Bits infinity) {
  for (const std::int64_t count : {1, 7, 4096, 4097, 9000}) {
    std::vector<Bits> values(static_cast<std::size_t>(count), largest);
    EXPECT_TRUE(all_finite(ConstMatrix(values.data(), 1, count, type)));
    for (const std::int64_t place : {std::int64_t{0}, count / 2, count - 1}) {
      auto& value = values[static_cast<std::size_t>(place)];
      for (const int bad : {0, 1}) {  // an infinity, then a NaN
        value = static_cast<Bits>(infinity + static_cast<Bits>(bad));
        EXPECT_FALSE(all_finite(ConstMatrix(values.data(), 1, count, type))) << name_of(type) << " at " << place;
      }
      value = largest;
    }
  }
}

TEST(AllFinite, FindsInfinitiesAndNaNs) {
  expect_found_everywhere<std::uint32_t>(DType::f32, 0xff7fffff, 0x7f800000);
  expect_found_everywhere<std::uint16_t>(DType::bf16, 0xff7f, 0xff80);
  expect_found_everywhere<std::uint16_t>(DType::f16, 0x7bff, 0x7c00);
}

TEST(AllFinite, TakesUnalignedData) {
  std::vector<unsigned char> bytes(4 * 100 + 1, 0);
  EXPECT_TRUE(all_finite(ConstMatrix(bytes.data() + 1, 10, 10)));
  bytes[1 + 4 * 99 + 3] = 0x7f;
  bytes[1 + 4 * 99 + 2] = 0x80;
  EXPECT_FALSE(all_finite(ConstMatrix(bytes.data() + 1, 10, 10)));
}

}  // namespace
}  // namespace sgpt
