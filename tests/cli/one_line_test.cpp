#include "cli/one_line.h"

#include <gtest/gtest.h>

namespace sgpt::cli {
namespace {

TEST(OneLine, CutsAtTheWidth) {
  EXPECT_EQ(one_line("short", 10), "short");
  EXPECT_EQ(one_line("exactly 10", 10), "exactly 10");
  EXPECT_EQ(one_line("exactly 10  \n", 10), "exactly 10");
  EXPECT_EQ(one_line("exactly 11!", 10), "exactly 1…");
  EXPECT_EQ(one_line("anything", 1), "…");
  EXPECT_EQ(one_line("anything", 0), "");
  EXPECT_EQ(one_line("", 5), "");
}

TEST(OneLine, CountsColumnsNotBytes) {
  EXPECT_EQ(one_line("äöüß", 4), "äöüß");
  EXPECT_EQ(one_line("漢字漢字", 8), "漢字漢字");
  EXPECT_EQ(one_line("漢字漢字", 7), "漢字漢…");
  EXPECT_EQ(one_line("漢字漢字", 6), "漢字…");
  EXPECT_EQ(columns_of("aä漢"), 4u);
}

TEST(OneLine, CommandsNoTerminal) { EXPECT_EQ(one_line("  a\n\tb\x1b[31m c\u00a0\u202e d ", 80), "a b [31m c d"); }

}  // namespace
}  // namespace sgpt::cli
