// The page that sgpt report writes.
#include "train/watch/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <set>

#include "train/watch/svg_chart.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunRecord record_of(std::int64_t steps) {
  RunRecord record;
  record.command = "sgpt train --model_name 'a<b>&c'";
  record.facts = {{"started", "2024-01-02 03:04:05 UTC"}, {"steps planned", "900"}};
  for (std::int64_t i = 0; i < steps; ++i) {
    record.steps.push_back({.step = i,
                            .loss = 2.0 / static_cast<double>(i + 1),
                            .gradient_norm = 1,
                            .learning_rate = 1e-4 * static_cast<double>(i),
                            .tokens = 1000,
                            .tokens_per_second = 500});
  }
  return record;
}

/// Tags are closed in the order in which they were opened: a browser would forgive, but a slip of ours shows.
bool well_formed(const std::string& page) {
  const std::regex tag("<(/?)([a-z0-9]+)([^<>]*?)(/?)>");
  std::vector<std::string> open;
  for (std::sregex_iterator it(page.begin(), page.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if (name == "meta" || !(*it)[4].str().empty()) continue;
    if ((*it)[1].str().empty()) {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != name) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

TEST(Report, ShowsTheRunAndNeedsNothingElse) {
  RunRecord record = record_of(900);
  record.evaluation = {{"MRR@10", "0.37"}};
  RunRecord::Bins bins{0, -1, 1, {}};
  bins.counts[3] = 5;
  record.histograms["gradients/h.1.mlp.dense_h_to_4h.bias"] = {bins, bins};
  record.histograms["gradients/ln_f.bias"] = {bins};
  const std::string page = report_page(record, "bees & co");
  EXPECT_TRUE(well_formed(page));
  for (const char* part : {"<h1>bees &amp; co</h1>", "Loss", "Gradient norm", "Learning rate", "Tokens a second",
                           "MRR@10", "0.37", "a&lt;b&gt;&amp;c", "Gradients, layer 1", "Gradients, outside the layers",
                           "mlp.dense_h_to_4h.bias", "of 900 steps"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  for (const char* foreign : {"<script", "http", "url(", "src=", "nan", "inf\""})
    EXPECT_THAT(page, Not(HasSubstr(foreign)));
}

TEST(Report, OfRunsOfAnyLength) {
  for (const std::int64_t steps : {0, 1, 2, 21, 5000}) {
    const std::string page = report_page(record_of(steps), "run");
    EXPECT_TRUE(well_formed(page)) << steps;
    EXPECT_LT(page.size(), 100000u) << steps;
    EXPECT_THAT(page, Not(HasSubstr("nan"))) << steps;
  }
}

TEST(Report, LeavesOutWhatIsNoNumber) {
  RunRecord record = record_of(30);
  record.steps[7].loss = std::numeric_limits<double>::quiet_NaN();
  record.steps[8].gradient_norm = std::numeric_limits<double>::infinity();
  const std::string page = report_page(record, "run");
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_THAT(page, Not(HasSubstr("inf")));
}

TEST(CurveChart, ALineStandsWhereItsValuesAre) {
  const std::string chart = curve_chart({.title = "t", .steps = {0, 2}, .values = {0, 1}, .smooth = false});
  // From the lower left corner to the right edge, a little below the top.
  EXPECT_THAT(chart, HasSubstr("class=\"line\" d=\"M62.0 204.0L546.0 24.8\""));
}

TEST(CurveChart, BothAxesHaveThreeTicksWhateverIsDrawn) {
  for (const double value : {0.0, 1e-9, 2.302585, 1e9, 1e308}) {
    for (const std::size_t steps : {1, 2, 3}) {
      const std::string chart =
          curve_chart({.title = "t", .steps = {7, 8, 9}, .values = std::vector<double>(steps, value)});
      for (const std::string axis : {"(?:x|last)", "y"}) {
        const std::regex tick("class=\"" + axis + "\">([^<]+)<");
        std::set<std::string> labels;
        for (std::sregex_iterator it(chart.begin(), chart.end(), tick), end; it != end; ++it) labels.insert((*it)[1]);
        if (value < 1e300) {
          EXPECT_GE(labels.size(), 3u) << chart;
        }
      }
    }
  }
}

TEST(Html, EscapesAndReplacesBrokenBytes) {
  EXPECT_EQ(html("<a b=\"&\">\xff!"), "&lt;a b=&quot;&amp;&quot;&gt;\xEF\xBF\xBD!");
}

}  // namespace
}  // namespace sgpt
