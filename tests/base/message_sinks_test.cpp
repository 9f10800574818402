#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/progress.h"
#include "sgpt/messages.h"

namespace sgpt {
namespace {

TEST(Messages, GoToTheSinkUntilItIsTakenAway) {
  std::vector<std::string> lines;
  set_message_sink([&](MessageLevel level, std::string_view line) {
    lines.push_back((level == MessageLevel::warning ? "W " : "I ") + std::string(line));
  });
  ::testing::internal::CaptureStderr();
  log::info("one");
  log::warning("two");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  set_message_sink({});
  ::testing::internal::CaptureStderr();
  log::info("three");
  log::warning("four");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "three\nwarning: four\n");
  EXPECT_EQ(lines, (std::vector<std::string>{"I one", "W two"}));
}

TEST(Messages, ProgressGoesToItsSink) {
  std::vector<std::string> reports;
  set_progress_sink([&](const ProgressReport& report) {
    reports.push_back(std::string(report.title) + " " + std::to_string(report.done) + "/" +
                      std::to_string(report.total) + " " + std::string(report.unit) + (report.last ? " last" : ""));
  });
  ::testing::internal::CaptureStderr();
  {
    Progress progress("reading", "texts", 5);
    progress.update(0);
    progress.update(5);
  }
  set_progress_sink({});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports.back(), "reading 5/5 texts last");
}

}  // namespace
}  // namespace sgpt
