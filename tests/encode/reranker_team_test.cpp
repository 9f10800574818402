// Ranks that score pairs together give the bits of one cross-encoder. The ranks are threads here;
// tests/cli/ranks_test.cpp has processes.
#include "encode/reranker_team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sgpt/error.h"
#include "temp_folder.h"
#include "thread_ranks.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::on_ranks;

class RerankTeam : public ::testing::Test {
 protected:
  RerankTeam() { testing::write_tiny_model(model_); }

  static Reranker load(const std::filesystem::path& folder, RerankerOptions options = {}) {
    options.threads = 1;
    options.text_template = "{} ";
    return Reranker::load(folder, options);
  }

  std::vector<std::string> messages_with(const std::filesystem::path& other_model, const RerankerOptions& other) const {
    std::vector<std::string> messages(2);
    on_ranks(2, [&](Communicator& ranks) {
      const Reranker reranker = ranks.first() ? load(model_) : load(other_model, other);
      try {
        with_team(reranker, ranks, [](const RerankerTeam&) {});
      } catch (const UserError& error) {
        messages[static_cast<std::size_t>(ranks.rank())] = error.what();
      }
    });
    return messages;
  }

  testing::TempFolder home_;
  std::filesystem::path model_ = home_ / "model";
};

TEST_F(RerankTeam, ScoresAsOneDoes) {
  std::vector<std::string> documents, queries;
  for (int d = 0; d < 7; ++d) documents.push_back("thing " + std::string(static_cast<std::size_t>(d * 5 % 11), 'x'));
  for (int q = 0; q < 5; ++q) queries.push_back("the " + std::string(static_cast<std::size_t>(q), 'y'));
  std::vector<QueryDocument> pairs;
  std::vector<std::string> places;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    for (std::size_t q = 0; q < queries.size(); q += 1 + d % 2) {
      pairs.push_back({queries[q], documents[d]});
      places.push_back("pair " + std::to_string(d) + " " + std::to_string(q));
    }
  }
  const std::vector<double> expected = load(model_).score(pairs);
  for (const int size : {1, 2, 3, 9}) {
    for (const std::size_t count : {pairs.size(), std::size_t{2}, std::size_t{1}, std::size_t{0}}) {
      int asked = 0;
      on_ranks(size, [&](Communicator& ranks) {
        const Reranker own = load(model_);
        with_team(own, ranks, [&](const RerankerTeam& team) {
          const auto found = team.score(std::span(pairs).first(count), std::span(places).first(count));
          EXPECT_EQ(found,
                    std::vector<double>(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count)));
          ++asked;
        });
      });
      EXPECT_EQ(asked, 1);
    }
  }
}

TEST_F(RerankTeam, DifferentOptionsAndModelsAreRefused) {
  EXPECT_THAT(messages_with(model_, {.max_length = 20}), ::testing::Each(HasSubstr("max_length=20")));
  const std::filesystem::path other = testing::write_tiny_model(home_ / "other", {.seed = 2});
  EXPECT_THAT(messages_with(other, {}), ::testing::Each(HasSubstr("rank 1 has another model than rank 0")));
}

}  // namespace
}  // namespace sgpt
