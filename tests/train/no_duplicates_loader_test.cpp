// Batches as NoDuplicatesDataLoader of sentence-transformers makes them.
#include "train/nli/no_duplicates_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/unicode.h"
#include "fixtures.h"
#include "sgpt/error.h"
#include "text/lower_case.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Numbers = std::vector<std::int64_t>;

Numbers batch_of(NoDuplicatesLoader& loader, std::int64_t number) {
  const auto examples = loader.batch(number).examples;
  return {examples.begin(), examples.end()};
}

/// Example i has the text i / `alike`, so that so many neighbours share one.
NoDuplicatesLoader::Options options(std::int64_t batch_size, std::int64_t alike, bool shuffle = true) {
  return {.batch_size = batch_size,
          .shuffle = shuffle,
          .texts =
              [alike](std::int64_t example, std::vector<std::uint64_t>& hashes) {
                hashes.push_back(static_cast<std::uint64_t>(example / alike));
                hashes.push_back(static_cast<std::uint64_t>(example / alike));  // an example may hold a text twice
              },
          .source = "nli.tsv"};
}

TEST(NoDuplicatesLoader, MakesTheGoldenBatches) {
  for (const auto& root : testing::fixture_roots()) {
    if (!std::filesystem::exists(root / "nli" / "case.json")) continue;
    const auto golden = nlohmann::json::parse(std::ifstream(root / "nli" / "case.json"));
    const auto triples = golden["triples"].get<std::vector<std::vector<std::string>>>();
    for (const auto& [size, batches] : golden["batches_when_shuffle_keeps_the_order"].items()) {
      NoDuplicatesLoader::Options how{.batch_size = std::stoll(size), .shuffle = false};
      how.texts = [&](std::int64_t example, std::vector<std::uint64_t>& hashes) {
        for (const std::string& text : triples[static_cast<std::size_t>(example)]) {
          hashes.push_back(std::hash<std::string>()(lower_case(strip(text))));
        }
      };
      NoDuplicatesLoader loader(std::ssize(triples), how);
      ASSERT_EQ(loader.batches(), std::ssize(batches));
      for (std::int64_t i = 0; i < loader.batches(); ++i) {
        std::vector<std::vector<std::string>> found;
        for (const std::int64_t example : batch_of(loader, i))
          found.push_back(triples[static_cast<std::size_t>(example)]);
        EXPECT_EQ(found, batches[static_cast<std::size_t>(i)].get<std::vector<std::vector<std::string>>>());
      }
    }
  }
}

TEST(NoDuplicatesLoader, WhatIsPassedOverIsLostUntilTheListBeginsAnew) {
  NoDuplicatesLoader loader(7, options(2, 3, false));  // texts 0 0 0 1 1 1 2
  EXPECT_EQ(loader.batches(), 3);
  EXPECT_THAT(batch_of(loader, 0), ElementsAre(0, 3));  // 1 and 2 are lost
  EXPECT_THAT(batch_of(loader, 1), ElementsAre(4, 6));  // 5 as well; the list ends
  EXPECT_THAT(batch_of(loader, 2), ElementsAre(0, 3));
  EXPECT_THAT(batch_of(loader, 3), ElementsAre(4, 6));  // the next epoch goes on
}

TEST(NoDuplicatesLoader, ABatchGoesOnAtTheBeginOfTheList) {
  NoDuplicatesLoader loader(5, options(3, 1, false));
  EXPECT_EQ(loader.batches(), 1);
  EXPECT_THAT(batch_of(loader, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(batch_of(loader, 1), ElementsAre(3, 4, 0));
  EXPECT_THAT(batch_of(loader, 2), ElementsAre(1, 2, 3));
}

TEST(NoDuplicatesLoader, ShufflesAnewForEachPass) {
  NoDuplicatesLoader loader(100, options(10, 1));
  std::vector<Numbers> passes(2);
  for (std::int64_t i = 0; i < 20; ++i) {
    const Numbers batch = batch_of(loader, i);
    Numbers& pass = passes[static_cast<std::size_t>(i / 10)];
    pass.insert(pass.end(), batch.begin(), batch.end());
  }
  EXPECT_NE(passes[0], passes[1]);
  for (const Numbers& pass : passes) EXPECT_EQ(std::set(pass.begin(), pass.end()).size(), 100u);
}

TEST(NoDuplicatesLoader, ABatchDependsOnSeedAndNumberAlone) {
  NoDuplicatesLoader straight(60, options(8, 2));
  std::vector<Numbers> batches;
  for (std::int64_t i = 0; i < 30; ++i) batches.push_back(batch_of(straight, i));
  NoDuplicatesLoader resumed(60, options(8, 2));
  EXPECT_EQ(batch_of(resumed, 29), batches[29]);
  EXPECT_EQ(batch_of(resumed, 29), batches[29]);
  EXPECT_EQ(batch_of(resumed, 4), batches[4]);
  EXPECT_EQ(batch_of(resumed, 17), batches[17]);
  auto other = options(8, 2);
  other.seed = 1;
  EXPECT_NE(batch_of(*std::make_unique<NoDuplicatesLoader>(60, other), 0), batches[0]);
}

TEST(NoDuplicatesLoader, RanksGoThroughAllExamplesEachForItself) {
  std::vector<Numbers> first;
  for (std::int64_t rank = 0; rank < 3; ++rank) {
    auto of_rank = options(4, 1);
    of_rank.rank = rank;
    of_rank.ranks = 3;
    NoDuplicatesLoader loader(40, of_rank);
    EXPECT_EQ(loader.batches(), 10);
    first.push_back(batch_of(loader, 0));
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < 10; ++i) {
      for (const std::int64_t example : batch_of(loader, i)) seen.insert(example);
    }
    EXPECT_EQ(seen.size(), 40u);
  }
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[1], first[2]);
}

TEST(NoDuplicatesLoader, RanksThatShareHaveTheBatchesOfOne) {
  NoDuplicatesLoader one(40, options(12, 2));
  std::vector<NoDuplicatesLoader> ranks;
  for (std::int64_t rank = 0; rank < 3; ++rank) {
    auto of_rank = options(4, 2);
    of_rank.rank = rank;
    of_rank.ranks = 3;
    of_rank.shared = true;
    ranks.emplace_back(40, of_rank);
    EXPECT_EQ(ranks.back().batches(), one.batches());
  }
  for (std::int64_t i = 0; i < 6; ++i) {
    Numbers together;
    for (NoDuplicatesLoader& rank : ranks) {
      const Numbers part = batch_of(rank, i);
      together.insert(together.end(), part.begin(), part.end());
    }
    EXPECT_EQ(together, batch_of(one, i));
  }
}

std::string message(const std::function<void()>& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(NoDuplicatesLoader, SaysWhenNoBatchCanBeFilled) {
  EXPECT_THAT(message([] { NoDuplicatesLoader(7, options(8, 1)); }),
              AllOf(HasSubstr("nli.tsv: no batch can be filled"), HasSubstr("--train_batch_size")));
  for (const bool shuffle : {false, true}) {
    NoDuplicatesLoader loader(30, options(4, 10, shuffle));  // three texts in all
    EXPECT_THAT(message([&] { loader.batch(0); }),
                AllOf(HasSubstr("no batch of 4 can be filled"), HasSubstr("after 3 examples")));
    EXPECT_EQ(message([&] { NoDuplicatesLoader(30, options(3, 10, shuffle)).require_batches(100); }), "no error");
  }
}

TEST(NoDuplicatesLoader, LooksThroughTheRunBeforeItBegins) {
  // The first two examples make a batch; each of the others shares a text with all.
  auto how = options(2, 1, false);
  how.texts = [](std::int64_t example, std::vector<std::uint64_t>& hashes) {
    hashes = example == 0   ? std::vector<std::uint64_t>{0}
             : example == 1 ? std::vector<std::uint64_t>{1}
                            : std::vector<std::uint64_t>{0, 1, 2};
  };
  NoDuplicatesLoader loader(6, how);
  EXPECT_THAT(batch_of(loader, 0), ElementsAre(0, 1));
  EXPECT_THAT(message([&] { loader.require_batches(loader.batches()); }), HasSubstr("can be filled"));
}

}  // namespace
}  // namespace sgpt
