// The whole way of eval and search on a tiny model: what they find, and when embeddings are reused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/mapped_file.h"
#include "base/random.h"
#include "retrieval/beir_evaluation.h"
#include "retrieval/corpus_index.h"
#include "retrieval/qrels.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "thread_ranks.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;

constexpr std::array<const char*, 12> kWords{"the",  "ring",  "and",   "stone", "river", "on",
                                             "tree", "under", "night", "reads", "an",    "engine"};

std::string random_text(Random& random) {
  std::string text;
  for (std::uint32_t i = 0, n = 2 + random.below(9); i < n; ++i) text += std::string(" ") + kWords[random.below(12)];
  return text.substr(1);
}

/// A tiny model, and a corpus of random texts of which each third is also a query with that document as its answer.
class TinyRetrieval : public ::testing::Test {
 protected:
  static constexpr int kDocuments = 60;

  void SetUp() override {
    testing::write_tiny_model(model_);
    fs::create_directories(data_ / "qrels");
    Random random(1);
    std::string corpus;
    std::string queries = "{\"_id\": \"unjudged\", \"text\": \"the\"}\n";
    std::string qrels = "query-id\tcorpus-id\tscore\n";
    for (int i = 0; i < kDocuments; ++i) {
      // Every text is another one, so that the answer is unique.
      texts_.push_back(random_text(random) + " " + std::to_string(i));
      corpus += "{\"_id\": \"d" + std::to_string(i) + "\", \"title\": \"\", \"text\": \"" + texts_.back() + "\"}\n";
      if (i % 3 != 0) continue;
      queries += "{\"_id\": \"q" + std::to_string(i) + "\", \"text\": \"" + texts_.back() + "\"}\n";
      qrels += "q" + std::to_string(i) + "\td" + std::to_string(i) + "\t1\n";
    }
    folder_.write("data/corpus.jsonl", corpus + "{\"_id\": \"empty\", \"text\": \"\"}\n");
    folder_.write("data/queries.jsonl", queries);
    folder_.write("data/qrels/test.tsv", qrels);
  }

  /// Without brackets a query and a document with the same text have the same embedding.
  Encoder encoder(std::optional<bool> brackets = false) const {
    EncoderOptions options;
    options.brackets = brackets;
    return Encoder::load(model_, options);
  }
  fs::path corpus() const { return data_ / "corpus.jsonl"; }

  TempFolder folder_;
  fs::path model_ = folder_ / "model";
  fs::path data_ = folder_ / "data";
  std::vector<std::string> texts_;
};

TEST_F(TinyRetrieval, AModelOfTheHubsCacheIsCalledByItsNameThere) {
  const fs::path snapshot = folder_ / "models--acme--tiny/snapshots/0123456789abcdef";
  fs::create_directories(snapshot.parent_path());
  fs::rename(model_, snapshot);
  const Encoder model = Encoder::load(snapshot, {.brackets = false});
  EXPECT_EQ(evaluate_data_set(model, {"data", {data_}}, {}).model, "acme/tiny");
  EXPECT_EQ(CorpusIndex::default_cache(model, "corpus.jsonl"), "corpus.jsonl.acme_tiny.sgpt-cache");
}

TEST_F(TinyRetrieval, EvaluationFindsTheAnswers) {
  const auto result = evaluate_data_set(encoder(), {"data", {data_}}, {});
  EXPECT_EQ(result.model, "model");
  for (const Metric metric : {Metric::ndcg, Metric::map, Metric::recall, Metric::precision, Metric::mrr}) {
    EXPECT_EQ(result.values.at(metric, 0), 1) << name_of(metric);
  }
  EXPECT_EQ(result.values.at(Metric::precision, 3), 0.1);
}

TEST_F(TinyRetrieval, MetricsOfTheRunFileAreTheSame) {
  BeirOptions options;
  options.run_file = folder_ / "run.trec";
  options.hits = 20;
  const auto result = evaluate_data_set(encoder(true), {"data", {data_}}, options);
  const auto run = read_trec_run(options.run_file);
  EXPECT_EQ(run.size(), 20u);
  for (const auto& [query, hits] : run) EXPECT_EQ(hits.size(), 20u) << query;
  const Qrels qrels = read_qrels(data_ / "qrels/test.tsv");
  const MetricTable means = evaluate(qrels, run).means;
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
      EXPECT_EQ(result.values.at(metric, c), rounded(means.at(metric, c))) << name_of(metric);
    }
  }
}

TEST_F(TinyRetrieval, TheQueryItselfIsNoHit) {
  // The query has the id of the document with its own text, and another document is judged.
  folder_.write("data/queries.jsonl", "{\"_id\": \"d0\", \"text\": \"" + texts_[0] + "\"}\n");
  folder_.write("data/qrels/test.tsv", "d0\td1\t1\n");
  BeirOptions options;
  options.run_file = folder_ / "run.trec";
  options.hits = kDocuments;
  evaluate_data_set(encoder(), {"data", {data_}}, options);
  const auto hits = read_trec_run(options.run_file).at("d0");
  EXPECT_EQ(hits.size(), kDocuments - 1u);
  for (const auto& hit : hits) EXPECT_NE(hit.id, "d0");
  options.hits = 1;
  evaluate_data_set(encoder(), {"data", {data_}}, options);
  EXPECT_EQ(read_trec_run(options.run_file).at("d0").size(), 1u);  // one was looked up in its place
}

TEST_F(TinyRetrieval, JudgedDocumentsThatTheCorpusLacksCount) {
  folder_.write("data/qrels/test.tsv", "q0\td0\t1\nq0\tnowhere\t1\n");
  const auto result = evaluate_data_set(encoder(), {"data", {data_}}, {});
  EXPECT_EQ(result.values.at(Metric::recall, 3), 0.5);
  EXPECT_EQ(result.values.at(Metric::ndcg, 1), rounded(1 / (1 + 1 / std::log2(3.0))));
}

TEST_F(TinyRetrieval, MsmarcoIsEvaluatedOnDev) {
  EXPECT_THROW(evaluate_data_set(encoder(), {"msmarco", {data_}}, {}), UserError);
  fs::rename(data_ / "qrels/test.tsv", data_ / "qrels/dev.tsv");
  EXPECT_EQ(evaluate_data_set(encoder(), {"msmarco", {data_}}, {}).values.at(Metric::ndcg, 3), 1);
}

TEST_F(TinyRetrieval, NoRunFileIsLeftByABrokenCorpus) {
  folder_.write("data/corpus.jsonl", "{\"_id\": \"a\", \"text\": \"x\"}\n{");
  BeirOptions options;
  options.run_file = folder_ / "run.trec";
  EXPECT_THROW(evaluate_data_set(encoder(), {"data", {data_}}, options), UserError);
  std::set<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder_.path())) names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<fs::path>{"data", "model"}));
}

TEST_F(TinyRetrieval, EvaluationWithACacheOrOnRanksGivesTheSameAndSearchUsesTheCache) {
  const auto bytes_of = [](const fs::path& file) {
    const MappedFile content(file);
    return std::string(content.text());
  };
  BeirOptions options;
  options.run_file = folder_ / "plain.trec";
  const Encoder model = encoder(true);
  const auto expected = results_json(std::vector{evaluate_data_set(model, {"data", {data_}}, options)});
  const std::string run = bytes_of(options.run_file);

  options.cache = fs::path();
  options.run_file = folder_ / "cached.trec";
  EXPECT_EQ(results_json(std::vector{evaluate_data_set(model, {"data", {data_}}, options)}), expected);
  EXPECT_EQ(bytes_of(options.run_file), run);
  const fs::path cache = CorpusIndex::default_cache(model, corpus());
  const auto made = fs::last_write_time(cache);
  EXPECT_EQ(CorpusIndex(model, corpus()).documents(), kDocuments);
  EXPECT_EQ(results_json(std::vector{evaluate_data_set(model, {"data", {data_}}, options)}), expected);
  EXPECT_EQ(fs::last_write_time(cache), made);

  for (const bool cached : {false, true}) {
    testing::on_ranks(3, [&](Communicator& ranks) {
      BeirOptions own;
      own.run_file = folder_ / "ranks.trec";
      if (cached) own.cache = folder_ / "ranks.sgpt-cache";
      const Encoder encoder_of_rank = encoder(true);
      with_team(encoder_of_rank, ranks, [&](const EncoderTeam& team) {
        EXPECT_EQ(results_json(std::vector{evaluate_data_set(team, {"data", {data_}}, own)}), expected);
      });
    });
    EXPECT_EQ(bytes_of(folder_ / "ranks.trec"), run);
  }
  EXPECT_EQ(bytes_of(folder_ / "ranks.sgpt-cache"), bytes_of(cache));
}

TEST_F(TinyRetrieval, SearchFindsTheDocument) {
  const Encoder model = encoder();
  const CorpusIndex index(model, corpus());
  EXPECT_EQ(index.documents(), kDocuments);
  const auto hits = index.search(std::vector{texts_[17], texts_[4]}, 3);
  ASSERT_EQ(hits.size(), 2u);
  ASSERT_EQ(hits[0].size(), 3u);
  EXPECT_EQ(index.document(hits[0][0].document).id, "d17");
  EXPECT_EQ(index.document(hits[1][0].document).text, texts_[4]);
  EXPECT_NEAR(hits[0][0].score, 1, 1e-6);
}

TEST_F(TinyRetrieval, EmbeddingsAreReusedOnlyWhenNothingChanged) {
  const Encoder model = encoder();
  const fs::path cache = CorpusIndex::default_cache(model, corpus());
  EXPECT_EQ(cache, data_ / "corpus.jsonl.model.sgpt-cache");
  const auto expected = CorpusIndex(model, corpus()).search(std::vector{texts_[0]}, 5);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(24);
  // Whether an index was taken from the cache, seen by the time of the file.
  const auto reused = [&](const Encoder& any_model) {
    fs::last_write_time(cache, long_ago);
    const CorpusIndex index(any_model, corpus());
    return fs::last_write_time(cache) == long_ago;
  };
  EXPECT_TRUE(reused(model));
  EXPECT_TRUE(reused(encoder()));
  EXPECT_EQ(CorpusIndex(model, corpus()).search(std::vector{texts_[0]}, 5), expected);

  EXPECT_FALSE(reused(encoder(true)));  // other brackets
  EXPECT_FALSE(reused(model));          // and back
  folder_.write("data/corpus.jsonl", "{\"_id\": \"new\", \"text\": \"another corpus\"}\n");
  EXPECT_FALSE(reused(model));
  EXPECT_EQ(CorpusIndex(model, corpus()).documents(), 1);
  EXPECT_TRUE(reused(model));
  fs::resize_file(cache, fs::file_size(cache) - 1);
  EXPECT_FALSE(reused(model));
  testing::write_tiny_model(model_, {.seed = 2});  // other weights
  EXPECT_FALSE(reused(encoder()));
}

TEST_F(TinyRetrieval, CacheMayLieElsewhere) {
  const Encoder model = encoder();
  const CorpusIndex index(model, corpus(), folder_ / "elsewhere");
  EXPECT_TRUE(fs::exists(folder_ / "elsewhere"));
  EXPECT_FALSE(fs::exists(CorpusIndex::default_cache(model, corpus())));
  EXPECT_THROW(CorpusIndex(model, corpus(), corpus()), UserError);  // the corpus itself is no cache
}

TEST_F(TinyRetrieval, AnEmptyCorpusIsRefused) {
  folder_.write("data/corpus.jsonl", "\n");
  EXPECT_THROW(CorpusIndex(encoder(), corpus()), UserError);
  EXPECT_THROW(evaluate_data_set(encoder(), {"data", {data_}}, {}), UserError);
}

}  // namespace
}  // namespace sgpt
