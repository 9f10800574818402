// A program beside this one: lines to and fro, and none that hangs or dies holds or ends us.
#include "base/helper_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using Clock = HelperProcess::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

Clock::time_point in(milliseconds time) { return Clock::now() + time; }

std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

bool no_child_is_left() { return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

TEST(HelperProcess, AnswersLineByLine) {
  HelperProcess helper(shell(R"(while read -r line; do echo "<$line>" >&0; done; echo end >&0)"));
  EXPECT_TRUE(helper.send("one"));
  EXPECT_TRUE(helper.send("two"));
  EXPECT_EQ(helper.receive(in(seconds(20))), "<one>");
  EXPECT_EQ(helper.receive(in(seconds(20))), "<two>");
  EXPECT_EQ(helper.receive(in(milliseconds(1))), std::nullopt);
  EXPECT_FALSE(helper.gone());
  EXPECT_TRUE(helper.finish(in(seconds(20))));
  EXPECT_EQ(helper.receive(in(seconds(20))), "end");
  EXPECT_EQ(helper.receive(in(seconds(20))), std::nullopt);
  EXPECT_TRUE(helper.gone());
  EXPECT_TRUE(no_child_is_left());
}

TEST(HelperProcess, ThatIsNotThereIsTheUsersMistake) {
  EXPECT_THROW(HelperProcess({"sgpt-no-such-program"}), UserError);
  EXPECT_TRUE(no_child_is_left());
}

TEST(HelperProcess, ThatDiedIsNoticedAndItsLastWordsAreRead) {
  HelperProcess helper(shell("echo farewell >&0"));
  EXPECT_EQ(helper.receive(in(seconds(20))), "farewell");
  EXPECT_EQ(helper.receive(in(seconds(20))), std::nullopt);
  EXPECT_TRUE(helper.gone());
  EXPECT_FALSE(helper.send("hello"));  // and no SIGPIPE
  EXPECT_TRUE(helper.finish(in(seconds(20))));
}

TEST(HelperProcess, ThatHangsHoldsNobodyAndIsEnded) {
  HelperProcess helper(shell("sleep 1000 & wait"));
  const std::string line(100000, 'x');
  const auto start = Clock::now();
  std::size_t taken = 0;
  while (helper.send(line)) ++taken;
  EXPECT_GE(taken, HelperProcess::kBacklog / 100001);
  EXPECT_LT(taken, 2 * HelperProcess::kBacklog / 100001);
  EXPECT_FALSE(helper.flush(in(milliseconds(10))));
  EXPECT_FALSE(helper.finish(in(milliseconds(10))));
  EXPECT_LT(Clock::now() - start, seconds(60));
  EXPECT_TRUE(no_child_is_left());
}

TEST(HelperProcess, GetsMuchMoreThanASocketHolds) {
  const testing::TempFolder folder;
  const std::string file = (folder / "got").string();
  HelperProcess helper({"sh", "-c", R"(sleep 0.1; wc -c > "$1")", "sh", file});
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(helper.send(std::string(100000, 'x')));
  EXPECT_TRUE(helper.finish(in(seconds(60))));
  std::size_t got = 0;
  std::ifstream(file) >> got;
  EXPECT_EQ(got, 50u * 100001u);
}

}  // namespace
}  // namespace sgpt
