// sgpt bench, on a model and a data set small enough that only the form of its answer matters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "program.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

class Bench : public ::testing::Test {
 protected:
  Bench() {
    write_tiny_model(home_ / "model");
    std::ofstream corpus(home_ / "corpus.jsonl");
    std::ofstream queries(home_ / "queries.jsonl");
    for (int i = 0; i < 8; ++i) {
      corpus << R"({"_id":")" << i << R"(","title":"Thing","text":"the thing number )" << i << "\"}\n";
      queries << R"({"_id":")" << i << R"(","text":"which thing and )" << i << "\"}\n";
    }
  }

  Outcome bench(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--model", (home_ / "model").string(), "--data_path", home_.path().string()});
    return sgpt(arguments);
  }

  TempFolder home_;
};

TEST_F(Bench, AnswersInJson) {
  for (const std::vector<std::string>& job :
       {std::vector<std::string>{"encode", "--docs", "5", "--json"},
        {"train", "--batch", "3", "--chunksize", "2", "--json"},
        {"train", "--batch", "2", "--activation_memory", "0", "--docs", "1", "--json"}}) {
    const Outcome outcome = bench(job);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    for (const char* key :
         {"tokens_per_second", "gemm_limit_tokens_per_second", "fraction_of_limit", "peak_rss_bytes", "model_bytes"}) {
      EXPECT_GT(json.at(key).get<double>(), 0) << key;
    }
    EXPECT_NEAR(json.at("fraction_of_limit").get<double>(),
                json.at("tokens_per_second").get<double>() / json.at("gemm_limit_tokens_per_second").get<double>(),
                1e-9);
  }
}

TEST_F(Bench, TellsWhatItComputedIn) {
  for (const std::string type : {"f32", "int8"}) {
    const Outcome outcome = bench({"encode", "--docs", "2", "--json", "--dtype", type});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(nlohmann::json::parse(outcome.out).at("dtype"), type);
  }
  EXPECT_EQ(bench({"encode", "--docs", "2", "--dtype", "f64"}).status, 2);
}

TEST_F(Bench, ProfilesAddUpToTheWhole) {
  for (const std::vector<std::string>& job :
       {std::vector<std::string>{"encode", "--docs", "8", "--profile", "--json"},
        {"train", "--batch", "3", "--profile", "--json"},
        {"train", "--batch", "3", "--steps", "2", "--all_parameters", "--profile", "--json"}}) {
    const Outcome outcome = bench(job);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    double share = 0;
    std::vector<std::string> works;
    for (const auto& row : json.at("profile")) {
      works.push_back(row.at("work"));
      share += row.at("share").get<double>();
      EXPECT_GE(row.at("seconds").get<double>(), 0);
    }
    EXPECT_THAT(works, ::testing::IsSupersetOf({"matrix products", "attention", "LayerNorm", "tokenizer"}));
    if (job.front() == "train") {
      EXPECT_THAT(works, ::testing::IsSupersetOf({"matrix products, backward", "attention, backward", "loss",
                                                  "optimiser", "bias gradients", "GELU"}));
    }
    const bool everything = std::find(job.begin(), job.end(), "--all_parameters") != job.end();
    EXPECT_EQ(std::find(works.begin(), works.end(), "weight gradients") != works.end(), everything);
    EXPECT_NEAR(share, 1, 0.3) << outcome.out;  // the tokenizer is timed by itself
  }
}

TEST_F(Bench, TimesOneQueryAtATime) {
  const Outcome outcome = bench({"latency", "--queries", "5", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("queries"), 5);
  EXPECT_GT(json.at("mean_tokens").get<double>(), 2);
  EXPECT_GT(json.at("median_milliseconds").get<double>(), 0);
  EXPECT_LE(json.at("median_milliseconds").get<double>(), json.at("percentile_95_milliseconds").get<double>());
  EXPECT_GT(json.at("gemm_limit_milliseconds").get<double>(), 0);
  EXPECT_THAT(bench({"latency"}).out, ::testing::HasSubstr("95th percentile"));
}

TEST_F(Bench, AnswersInLinesForPeople) {
  const Outcome outcome = bench({"encode", "--docs", "2"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::HasSubstr("tokens/s"));
}

TEST_F(Bench, SaysWhenTheDataAreTooFew) {
  const Outcome encode = bench({"encode", "--docs", "9"});
  EXPECT_EQ(encode.status, 2);
  EXPECT_THAT(encode.err, ::testing::HasSubstr("only 8"));
  EXPECT_EQ(bench({"train", "--batch", "9"}).status, 2);
}

}  // namespace
}  // namespace sgpt::testing
