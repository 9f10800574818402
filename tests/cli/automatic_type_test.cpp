// --dtype auto is a measurement, which may turn out otherwise at every start: what was begun goes on in its type.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/program.h"
#include "cli/small_training.h"
#include "environment.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class AutomaticType : public ::testing::Test {
 protected:
  AutomaticType() {
    write_tiny_model(folder_ / "floats");
    write_small_corpus(folder_ / "data", 600);  // more than an encoding writes down at once
    const Outcome made = sgpt({"convert", (folder_ / "floats").string(), model(), "--dtype", "bf16"});
    EXPECT_EQ(made.status, 0) << made.err;
    const Outcome info = sgpt({"info", model(), "--json"});
    EXPECT_THAT(info.out, HasSubstr("\"kernels\": {"));
    has_bf16_ = info.out.find("\"bf16\": null") == std::string::npos;
  }
  std::string model() const { return (folder_ / "model").string(); }
  std::string corpus() const { return (folder_ / "data" / "corpus.jsonl").string(); }
  std::vector<std::string> encode(const std::string& output, const std::string& type) const {
    return {"encode",  "--model", model(), "--document", "--input", corpus(), "--output", (folder_ / output).string(),
            "--dtype", type};
  }
  std::string bytes(const std::string& name) const { return text_of(folder_ / name); }

  TempFolder folder_;
  bool has_bf16_ = false;
};

TEST_F(AutomaticType, AnEncodingGoesOnInTheTypeThatItBeganWith) {
  for (const bool fast_first : {true, false}) {
    const char* type = fast_first && has_bf16_ ? "bf16" : "f32";
    const std::string output = fast_first ? "first.npy" : "second.npy";
    ASSERT_EQ(sgpt(encode("whole.npy", type)).status, 0);
    {
      const EnvironmentVariable measured("SGPT_CPU_BF16_GAIN", fast_first ? "2" : "0.5");
      ASSERT_EQ(sgpt_with_file_limit(30000, encode(output, "auto")).status, 1);
    }
    const EnvironmentVariable measured("SGPT_CPU_BF16_GAIN", fast_first ? "0.5" : "2");
    const Outcome rest = sgpt(encode(output, "auto"));
    EXPECT_EQ(rest.status, 0) << rest.err;
    EXPECT_THAT(rest.err, Not(HasSubstr("starts over")));
    EXPECT_EQ(bytes(output), bytes("whole.npy")) << type;
  }
}

TEST_F(AutomaticType, ACacheIsUsedInTheTypeThatItWasMadeIn) {
  const std::vector<std::string> search{"search", "--model", model(), "--corpus", corpus(), "--dtype", "auto", "lamp"};
  const std::vector<std::string> eval{"eval",    "--model", model(), "--data_path", (folder_ / "data").string(),
                                      "--cache", "--dtype", "auto"};
  const fs::path cache = corpus() + ".model.sgpt-cache";
  for (const bool fast_first : {true, false}) {
    fs::remove(cache);
    {
      const EnvironmentVariable measured("SGPT_CPU_BF16_GAIN", fast_first ? "2" : "0.5");
      ASSERT_EQ(sgpt(search).status, 0);
    }
    const auto made = fs::last_write_time(cache);
    const EnvironmentVariable measured("SGPT_CPU_BF16_GAIN", fast_first ? "0.5" : "2");
    for (const auto& command : {search, eval}) {
      const Outcome again = sgpt(command);
      EXPECT_EQ(again.status, 0) << again.err;
      EXPECT_THAT(again.err, Not(HasSubstr("made anew")));
      EXPECT_EQ(fs::last_write_time(cache), made);
      EXPECT_EQ(again.err.find("nothing says"), again.err.rfind("nothing says")) << again.err;
      if (has_bf16_) {
        EXPECT_THAT(again.err, HasSubstr(fast_first ? "computing in bf16, as" : "computing in f32, as"));
      }
    }
  }
}

TEST_F(AutomaticType, FeaturesThatDoNotExistAreRefused) {
  const EnvironmentVariable without("SGPT_CPU_WITHOUT", "avx1024");
  const Outcome outcome = sgpt({"info", model()});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("found \"avx1024\"; expected amx, vnni, bf16 or avx512"));
}

}  // namespace
}  // namespace sgpt::testing
