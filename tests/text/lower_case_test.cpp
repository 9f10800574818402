#include "text/lower_case.h"

#include <gtest/gtest.h>

namespace sgpt {
namespace {

TEST(LowerCase, IsThatOfPython) {
  // python3 -c 'print([t.lower() for t in …])'
  EXPECT_EQ(lower_case("A Dog's LIFE, 1984"), "a dog's life, 1984");
  EXPECT_EQ(lower_case("ÄÖÜ ÉCOLE ẞ"), "äöü école ß");
  EXPECT_EQ(lower_case("ПРИВЕТ 東京 Ａ"), "привет 東京 ａ");
  EXPECT_EQ(lower_case("İzmir I"), "i\u0307zmir i");
  EXPECT_EQ(lower_case("ΟΔΟΣ Σ ΣΑΣ!"), "οδος σ σας!");
  EXPECT_EQ(lower_case(""), "");
}

}  // namespace
}  // namespace sgpt
