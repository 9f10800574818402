// Exact search: against a search in double by plain loops, and its promises about bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

Embeddings random_embeddings(std::int64_t rows, std::int64_t dimension, std::uint64_t seed) {
  Random random(seed);
  Embeddings embeddings{rows, dimension, {}};
  for (std::int64_t i = 0; i < rows * dimension; ++i) {
    embeddings.values.push_back(static_cast<float>(random.normal()));
  }
  return embeddings;
}

double score_in_double(std::span<const float> a, std::span<const float> b, Similarity similarity) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  double squares = 0;
  double sizes = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    squares += difference * difference;
    sizes += std::abs(difference);
  }
  switch (similarity) {
    case Similarity::dot: return dot;
    case Similarity::euclidean: return -std::sqrt(squares);
    case Similarity::manhattan: return -sizes;
    case Similarity::cosine: break;
  }
  return dot / std::sqrt(aa * bb);
}

class ExactSearchOn : public ::testing::TestWithParam<const char*> {
 protected:
  SearchOptions options(std::int64_t top_k, Similarity similarity = Similarity::cosine, int threads = 0) const {
    return {.top_k = top_k, .similarity = similarity, .threads = threads, .backend = GetParam()};
  }
};

TEST_P(ExactSearchOn, EqualsPlainLoopsInDouble) {
  const auto queries = random_embeddings(37, 20, 1);
  const auto documents = random_embeddings(2100, 20, 2);
  for (const Similarity similarity :
       {Similarity::cosine, Similarity::dot, Similarity::euclidean, Similarity::manhattan}) {
    const auto hits = exact_search(queries, documents, options(20, similarity));
    ASSERT_EQ(hits.size(), 37u);
    for (std::int64_t q = 0; q < queries.rows; ++q) {
      std::vector<double> expected;
      for (std::int64_t d = 0; d < documents.rows; ++d) {
        expected.push_back(score_in_double(queries.row(q), documents.row(d), similarity));
      }
      std::vector<double> best = expected;
      std::sort(best.begin(), best.end(), std::greater<>());
      const auto& found = hits[static_cast<std::size_t>(q)];
      ASSERT_EQ(found.size(), 20u);
      const double tolerance = similarity == Similarity::cosine ? 1e-6 : 5e-5;
      for (std::size_t i = 0; i < found.size(); ++i) {
        // The document's own score, and the i-th best of all.
        EXPECT_NEAR(found[i].score, expected[static_cast<std::size_t>(found[i].document)], tolerance);
        EXPECT_NEAR(found[i].score, best[i], tolerance);
      }
    }
  }
}

TEST_P(ExactSearchOn, NearNeighboursAreToldApartByTheirDistance) {
  Embeddings documents = random_embeddings(1, 300, 9);
  for (int i = 1; i < 40; ++i) {  // ever further away, by a millionth
    std::vector<float> next(documents.values.end() - 300, documents.values.end());
    next[static_cast<std::size_t>(i)] += 1e-3f;
    documents.values.insert(documents.values.end(), next.begin(), next.end());
    ++documents.rows;
  }
  const Embeddings query{1, 300, {documents.values.begin(), documents.values.begin() + 300}};
  for (const Similarity distance : {Similarity::euclidean, Similarity::manhattan}) {
    const auto hits = exact_search(query, documents, options(40, distance))[0];
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].document, static_cast<std::int64_t>(i));
    EXPECT_EQ(hits[0].score, 0);
  }
}

TEST_P(ExactSearchOn, SameBitsHoweverDocumentsAreCut) {
  const auto queries = random_embeddings(5, 24, 3);
  const auto documents = random_embeddings(2500, 24, 4);
  const auto expected = exact_search(queries, documents, options(100));
  for (const std::size_t piece : {1u, 7u, 1000u, 1024u, 1025u}) {
    ExactSearch search(queries, options(100));
    std::span<const float> rest(documents.values);
    while (!rest.empty()) {
      const std::size_t count = std::min(rest.size(), piece * 24);
      search.add(rest.first(count));
      rest = rest.subspan(count);
    }
    EXPECT_EQ(search.hits(), expected) << piece;
  }
}

TEST_P(ExactSearchOn, SameBitsWithAnyThreadsAndCompany) {
  const auto queries = random_embeddings(70, 200, 5);
  const auto documents = random_embeddings(1500, 200, 6);
  const auto expected = exact_search(queries, documents, options(50, Similarity::cosine, 1));
  for (const int threads : {2, 3}) {
    EXPECT_EQ(exact_search(queries, documents, options(50, Similarity::cosine, threads)), expected) << threads;
  }
  for (const std::int64_t query : {0, 31, 69}) {
    const auto row = queries.row(query);
    const Embeddings alone{1, 200, {row.begin(), row.end()}};
    EXPECT_EQ(exact_search(alone, documents, options(50))[0], expected[static_cast<std::size_t>(query)]) << query;
  }
}

TEST_P(ExactSearchOn, SameBitsHoweverManyQueries) {
  // Sizes of models, and numbers of queries around those that are packed together.
  for (const std::int64_t dimension : {64, 384, 1024, 4096}) {
    const auto queries = random_embeddings(260, dimension, 9);
    const auto documents = random_embeddings(40, dimension, 10);
    const auto expected = exact_search(queries, documents, options(40, Similarity::dot));
    for (const std::int64_t count : {1, 16, 17, 33, 50, 65, 100, 128, 200, 255, 256, 257}) {
      const auto end = queries.values.begin() + count * dimension;
      const auto hits =
          exact_search({count, dimension, {queries.values.begin(), end}}, documents, options(40, Similarity::dot));
      for (std::size_t query = 0; query < hits.size(); ++query) {
        ASSERT_EQ(hits[query], expected[query]) << count << " queries of dimension " << dimension;
      }
    }
  }
}

TEST_P(ExactSearchOn, EqualScoresGoByIndex) {
  // Documents 0 to 9 are the same; so are 1020 to 1029, which lie in two blocks.
  Embeddings documents{1100, 4, std::vector<float>(1100 * 4, 0.0f)};
  for (const std::int64_t i : {0, 3, 1020, 1023, 1024, 1029}) {
    std::fill_n(documents.values.begin() + i * 4, 4, 1.0f);
  }
  const Embeddings query{1, 4, {1, 1, 1, 1}};
  const auto hits = exact_search(query, documents, options(8))[0];
  std::vector<std::int64_t> found;
  for (const Hit& hit : hits) found.push_back(hit.document);
  EXPECT_EQ(found, (std::vector<std::int64_t>{0, 3, 1020, 1023, 1024, 1029, 1, 2}));
  EXPECT_EQ(hits[0].score, 1.0f);
  EXPECT_EQ(hits[7].score, 0.0f);
}

TEST_P(ExactSearchOn, FewerDocumentsThanAskedFor) {
  const auto hits = exact_search(random_embeddings(2, 8, 7), random_embeddings(3, 8, 8), options(1000));
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].size(), 3u);
  EXPECT_TRUE(exact_search(random_embeddings(2, 8, 7), {}, options(10))[1].empty());
  EXPECT_TRUE(exact_search({0, 8, {}}, random_embeddings(3, 8, 8), options(10)).empty());
}

TEST_P(ExactSearchOn, ZeroEmbeddingsScoreZeroAndNaNsAreNoHits) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const Embeddings documents{3, 2, {0, 0, kNaN, 1, -1, 0}};
  const auto hits = exact_search({1, 2, {1, 0}}, documents, options(5))[0];
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0], (Hit{0, 0.0f}));
  EXPECT_EQ(hits[1], (Hit{2, -1.0f}));
}

INSTANTIATE_TEST_SUITE_P(Backends, ExactSearchOn, ::testing::Values("reference", "cpu"),
                         [](const auto& backend) { return std::string(backend.param); });

TEST(ExactSearch, RefusesWhatDoesNotFit) {
  const auto queries = random_embeddings(2, 8, 1);
  EXPECT_THROW(ExactSearch(queries, {.top_k = 0}), UserError);
  EXPECT_THROW(ExactSearch(queries, {.backend = "abacus"}), UserError);
  EXPECT_THROW(ExactSearch({2, 8, {1, 2, 3}}), UserError);
  EXPECT_THROW(exact_search(queries, random_embeddings(2, 9, 1)), UserError);
  ExactSearch search(queries);
  EXPECT_THROW(search.add(std::vector<float>(12)), UserError);
}

}  // namespace
}  // namespace sgpt
