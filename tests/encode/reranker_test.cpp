// The cross-encoder: log-probabilities against those of `transformers` for every model among the fixtures, the same
// bits in any company, and what cannot be asked.
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

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

/// A model that a case names, in whichever root has it.
fs::path model_folder(const std::string& name) {
  for (const fs::path& root : testing::fixture_roots()) {
    if (fs::exists(root / name)) return root / name;
  }
  throw std::runtime_error("no root has the model " + name);
}

struct Case {
  RerankerOptions options;
  fs::path model;
  nlohmann::json expected;
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  for (const fs::path& file : testing::fixtures("ce")) {
    if (file.filename() != "cases.json") continue;
    std::ifstream in(file);
    const auto all = nlohmann::json::parse(in);
    for (const auto& entry : all.at("cases")) {
      Case c{{}, model_folder(entry.at("model")), entry};
      c.options.text_template = entry.at("template");
      c.options.max_length = entry.at("max_length").get<std::int64_t>();
      if (!entry.at("vocabulary_rows").is_null()) c.options.vocabulary_rows = entry.at("vocabulary_rows");
      cases.push_back(std::move(c));
    }
  }
  return cases;
}

TEST(RerankerFixture, LogProbabilitiesAreTransformers) {
  constexpr double kTolerance = 1e-3;
  for (const Case& c : read_cases()) {
    SCOPED_TRACE(c.expected.dump().substr(0, 300));
    const Reranker reranker = Reranker::load(c.model, c.options);
    const std::string query = c.expected.at("query"), document = c.expected.at("document");
    const Reranker::Parts& parts = reranker.parts();
    const TokenIds query_ids = parts.query_ids(query), whole = parts.ids.context(document);
    const TokenIds context = parts.ids.cut(whole, parts.ids.to_drop(whole, query_ids));
    EXPECT_EQ(query_ids, c.expected.at("query_ids").get<TokenIds>());
    TokenIds input = context;
    input.insert(input.end(), query_ids.begin(), query_ids.end() - 1);
    EXPECT_EQ(input, c.expected.at("input_ids").get<TokenIds>());
    const auto expected = c.expected.at("token_log_probs").get<std::vector<double>>();
    const std::vector<double> found = parts.token_log_probabilities(context, query_ids);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kTolerance);
    EXPECT_NEAR(reranker.score(query, std::vector{document}).front(), c.expected.at("expected").get<double>(),
                kTolerance);
  }
}

class RerankerTest : public ::testing::Test {
 protected:
  testing::TempFolder temp_;
  fs::path folder_ = testing::write_tiny_model(temp_ / "model", {.modules = false});

  Reranker load(const RerankerOptions& options = {}) const { return Reranker::load(folder_, options); }
  std::string error_of(const RerankerOptions& options, const std::string& query, const std::string& document) const {
    try {
      load(options).score(query, std::vector{document});
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }
};

TEST_F(RerankerTest, AScoreHasTheSameBitsInAnyCompany) {
  std::vector<std::string> documents, queries;
  for (int i = 0; i < 6; ++i) {
    std::string text = "the thing and the other one";
    for (int j = 0; j < 7 * i; ++j) text += " and another" + std::to_string(j);
    documents.push_back(text);
    queries.push_back("the query " + std::to_string(i * i) + (i % 2 ? " and more" : ""));
  }
  std::vector<QueryDocument> pairs;
  for (const auto& query : queries) {
    for (const auto& document : documents) pairs.push_back({query, document});
  }
  const std::vector<double> together = load().score(pairs);
  const Reranker one_thread = load({.token_budget = 200, .threads = 1});
  EXPECT_EQ(one_thread.score(pairs), together);
  for (std::size_t i = 0; i < pairs.size(); i += 5) {
    EXPECT_EQ(load().score(std::span(pairs).subspan(i, 1)).front(), together[i]);
  }
}

TEST_F(RerankerTest, ALongDocumentLosesItsBeginning) {
  const std::string tail = " in the end";
  const RerankerOptions options{.text_template = "Q {} A ", .max_length = 20};
  const Reranker reranker = load(options);
  std::string longer = "something else altogether before it, and more", longest = longer;
  for (int i = 0; i < 20; ++i) longest.insert(0, "one ");
  const auto scores = reranker.score("the", std::vector{longer + tail, longest + tail});
  EXPECT_EQ(scores[0], scores[1]);
}

TEST_F(RerankerTest, WhatCannotBeAskedIsTold) {
  EXPECT_EQ(error_of({.text_template = "no place"}, "q", "d"),
            "the template has no {} in it, which says where the document goes");
  EXPECT_EQ(error_of({}, "", "d"),
            "pair 1 of 1: the query has no token, so there is nothing whose probability could be told");
  EXPECT_EQ(error_of({.text_template = "{}"}, "q", ""),
            "pair 1 of 1: template and document have no token, so there is nothing before the query");
  EXPECT_EQ(error_of({.text_template = "ab{}", .max_length = 5}, "uvwxyz", "d"),
            "pair 1 of 1: the query has 6 tokens, but there is room for 4: the model sees 5, and the template begins "
            "with 2");
  EXPECT_EQ(error_of({}, "q", "\xff"), "pair 1 of 1: the document is no valid UTF-8 at byte 0");
  EXPECT_NE(error_of({.vocabulary_rows = 10}, "q", "d").find("over the first 10 rows of the vocabulary"),
            std::string::npos);
  EXPECT_NE(error_of({.vocabulary_rows = 100000}, "q", "d").find("rows of the vocabulary"), std::string::npos);
}

}  // namespace
}  // namespace sgpt
