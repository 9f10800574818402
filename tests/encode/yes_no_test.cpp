// Qwen3-Reranker's question against `transformers`: ids, and the probability of "yes".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "encode/reranker_parts.h"
#include "fixtures.h"
#include "sgpt/error.h"
#include "sgpt/reranker.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kTolerance = 1e-4;  // of a probability

class YesNo : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (const fs::path& file : testing::today_fixtures("reranker")) {
      if (file.extension() != ".json") continue;
      all_ = json::parse(std::ifstream(file));
      model_ = file.parent_path().parent_path() / all_.at("model").get<std::string>();
    }
    if (all_.is_null()) GTEST_SKIP() << "no re-ranker among the fixtures";
  }
  Reranker load(const json& one) const {
    return Reranker::load(model_, {.max_length = one.at("max_length").get<std::int64_t>(),
                                   .backend = GetParam(),
                                   .yes_no = true,
                                   .instruction = one.at("instruction")});
  }

  json all_;
  fs::path model_;
};
INSTANTIATE_TEST_SUITE_P(Backends, YesNo, ::testing::Values("reference", "cpu"));

TEST_P(YesNo, ProbabilitiesAreThoseOfTransformers) {
  int cut = 0;
  for (const json& one : all_.at("cases")) {
    const Reranker reranker = load(one);
    const std::string query = one.at("query"), document = one.at("document");
    const YesNoIds& ids = *reranker.parts().yes_no;
    EXPECT_EQ(ids.yes(), all_.at("yes"));
    EXPECT_EQ(ids.no(), all_.at("no"));
    EXPECT_EQ(ids.ids(query, document), one.at("ids").get<TokenIds>());
    cut += std::ssize(one.at("ids")) == one.at("max_length").get<std::int64_t>() ? 1 : 0;
    const std::vector<double> scores = reranker.score(query, std::vector<std::string>{document});
    ASSERT_EQ(scores.size(), 1u);
    EXPECT_NEAR(scores[0], one.at("expected").get<double>(), kTolerance);
  }
  EXPECT_GT(cut, 0) << "no pair of the fixture is longer than its limit";
}

TEST_P(YesNo, AScoreHasTheSameBitsInAnyBatch) {
  const json& first = all_.at("cases").at(0);
  const Reranker reranker = load(first);
  std::vector<std::string> texts;
  for (const json& one : all_.at("cases")) texts.push_back(one.at("query")), texts.push_back(one.at("document"));
  std::vector<QueryDocument> pairs;
  for (std::size_t i = 0; i < texts.size(); i += 2) pairs.push_back({texts[i], texts[i + 1]});
  const std::vector<double> together = reranker.score(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(reranker.score(std::span(&pairs[i], 1)).front(), together[i]) << i;
  }
}

TEST_P(YesNo, AModelOfThatNameIsAskedSo) {
  const testing::TempFolder temp;
  const fs::path named = temp / "Qwen3-Reranker-0.1B";
  fs::create_directory_symlink(model_, named);
  EXPECT_TRUE(*Reranker::load(named, {.backend = GetParam()}).options().yes_no);
  EXPECT_EQ(*Reranker::load(named, {.backend = GetParam()}).options().max_length, 512);  // its positions
  EXPECT_FALSE(*Reranker::load(model_, {.backend = GetParam()}).options().yes_no);
  EXPECT_FALSE(*Reranker::load(named, {.backend = GetParam(), .yes_no = false}).options().yes_no);
}

TEST_P(YesNo, WhatCannotBeAskedIsSaid) {
  const auto load_with = [&](std::int64_t length) {
    return Reranker::load(model_, {.max_length = length, .backend = GetParam(), .yes_no = true});
  };
  EXPECT_THAT([&] { load_with(20); }, ThrowsMessage<UserError>(HasSubstr("no room")));
  const Reranker reranker = load_with(300);
  EXPECT_THAT([&] { reranker.score("\xff", std::vector<std::string>{"a document"}); },
              ThrowsMessage<UserError>(HasSubstr("UTF-8")));
  const testing::TempFolder temp;
  const fs::path bloom = testing::write_tiny_model(temp / "bloom");
  EXPECT_THAT([&] { Reranker::load(bloom, {.backend = GetParam(), .yes_no = true}); },
              ThrowsMessage<UserError>(HasSubstr("\"yes\" is 3 tokens")));
}

}  // namespace
}  // namespace sgpt
