// MS MARCO training data: which passages are selected, whose turn it is at each visit, what is kept beside the files,
// and what is said of broken ones.
#include "train/msmarco/msmarco_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "sgpt/error.h"
#include "tiny_model.h"
#include "train/msmarco_files.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::gzipped;
using ::testing::HasSubstr;
using testing::MsMarcoFiles;
using ::testing::UnorderedElementsAre;

constexpr const char* kHardNegatives = "msmarco-hard-negatives.jsonl.gz";
constexpr const char* kScores = "cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz";

class MsMarcoTest : public ::testing::Test {
 protected:
  MsMarcoTest()
      : model_(testing::write_tiny_model(model_folder_.path() / "model")),
        preparation_(Tokenizer::load(model_ / "tokenizer.json"), read_model_folder(model_), {.brackets = true}) {
    options_.selection.folder = data_.path();
  }

  MsMarcoData open() const { return MsMarcoData(preparation_, options_); }
  MsMarcoData open(const MsMarcoFiles& files) const {
    files.write(data_);
    return open();
  }

  std::string message() const {
    try {
      open();
    } catch (const UserError& error) {
      EXPECT_FALSE(std::filesystem::exists(examples()));
      return error.what();
    }
    return "no error";
  }
  std::string message(const MsMarcoFiles& files) const {
    files.write(data_);
    return message();
  }

  /// All negatives of an example, as the visits bring them (with as many visits as there are passages).
  static std::set<std::uint32_t> negatives(const MsMarcoData& data, std::int64_t example) {
    std::set<std::uint32_t> rows;
    for (std::int64_t visit = 0; visit < 12; ++visit) rows.insert(data.rows(example, visit).negative);
    return rows;
  }

  std::vector<std::string> texts(const TokenBatch& column) const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i + 1 < column.offsets.size(); ++i) {
      const auto begin = static_cast<std::size_t>(column.offsets[i]);
      const auto end = static_cast<std::size_t>(column.offsets[i + 1]);
      result.push_back(preparation_.tokenizer().decode(std::span(column.ids).subspan(begin, end - begin)));
    }
    return result;
  }

  std::filesystem::path examples() const { return data_ / "msmarco-hard-negatives.sgpt-examples"; }

  testing::TempFolder model_folder_;
  testing::TempFolder data_;
  std::filesystem::path model_;
  TextPreparation preparation_;
  MsMarcoData::Options options_;
};

// Query 7: a negative scores at most 8 - 3 = 5: 1, 2, 3 of a; 4 of b. Query 8: at most 7.5 - 3: 0 of a, 5 of b.
TEST_F(MsMarcoTest, NegativesScoreBelowTheLowestPositiveByTheMargin) {
  const MsMarcoData data = open(MsMarcoFiles());
  ASSERT_EQ(data.size(), 2);
  EXPECT_THAT(negatives(data, 0), UnorderedElementsAre(1, 2, 3, 4));
  EXPECT_THAT(negatives(data, 1), UnorderedElementsAre(0, 5));
}

TEST_F(MsMarcoTest, MarginIsAnOption) {
  options_.selection.score_margin = 1.5;
  EXPECT_THAT(negatives(open(MsMarcoFiles()), 1), UnorderedElementsAre(0, 3, 5));
  options_.selection.score_margin = 7;
  const MsMarcoData data = open();
  EXPECT_THAT(negatives(data, 0), UnorderedElementsAre(1));
  EXPECT_THAT(negatives(data, 1), UnorderedElementsAre(5));
}

TEST_F(MsMarcoTest, SoManyNewNegativesOfEachSystem) {
  options_.selection.negatives_per_system = 1;
  const MsMarcoData data = open(MsMarcoFiles());
  EXPECT_THAT(negatives(data, 0), UnorderedElementsAre(1, 3));  // 1 of a; 3 is not taken yet when b's turn comes
  EXPECT_THAT(negatives(data, 1), UnorderedElementsAre(0, 5));
  options_.selection.negatives_per_system = 3;
  EXPECT_THAT(negatives(open(), 0), UnorderedElementsAre(1, 2, 3, 4));  // b's 3 counts for nothing: a has brought it
}

TEST_F(MsMarcoTest, OnlyTheSystemsNamed) {
  options_.selection.systems = {"b"};
  EXPECT_THAT(negatives(open(MsMarcoFiles()), 0), UnorderedElementsAre(3, 4));
  options_.selection.systems = {"b", "a"};
  options_.selection.negatives_per_system = 1;
  EXPECT_THAT(negatives(open(), 0), UnorderedElementsAre(3, 1));
  options_.selection.systems = {"a", "c"};
  std::filesystem::remove(examples());
  EXPECT_THAT(message(), AllOf(HasSubstr("--negs_to_use"), HasSubstr("'c'; there are a, b")));
}

TEST_F(MsMarcoTest, QueriesWithoutPositiveOrNegativeAreLeftOut) {
  MsMarcoFiles files;
  files.queries += "9\tnine\n10\tten\n";
  files.hard_negatives +=
      "{\"qid\": 9, \"pos\": [], \"neg\": {\"a\": [1]}}\n"
      "{\"qid\": 10, \"pos\": [0, 1, 2, 4], \"neg\": {\"a\": [3]}}\n";
  files.scores[10] = {{0, 1.0}, {1, 1.0}, {2, 1.0}, {3, 0.0}, {4, 1.0}};
  EXPECT_EQ(open(files).size(), 2);
}

TEST_F(MsMarcoTest, AllQueriesGetARandomPassageThatIsNoPositive) {
  MsMarcoFiles files;
  files.queries += "9\tnine\n10\tten\n";
  files.hard_negatives +=
      "{\"qid\": 9, \"pos\": [], \"neg\": {\"a\": [1]}}\n"
      "{\"qid\": 10, \"pos\": [0, 1, 2, 4], \"neg\": {\"a\": [3]}}\n";
  files.scores[10] = {{0, 1.0}, {1, 1.0}, {2, 1.0}, {3, 0.0}, {4, 1.0}};
  options_.selection.all_queries = true;
  const MsMarcoData data = open(files);
  ASSERT_EQ(data.size(), 3);
  EXPECT_THAT(negatives(data, 2), UnorderedElementsAre(3, 5));
  EXPECT_EQ(data.rows(2, 4), open().rows(2, 4));
}

TEST_F(MsMarcoTest, OnlyTheFirstSoManyQueries) {
  options_.max_examples = 1;
  EXPECT_EQ(open(MsMarcoFiles()).size(), 1);
  options_.max_examples = 100;
  EXPECT_EQ(open().size(), 2);
}

// Lists from which each visit pops the first and appends it, as the reference does.
TEST_F(MsMarcoTest, RotationIsThatOfPoppedLists) {
  for (const std::uint64_t seed : {0, 1, 2}) {
    options_.seed = seed;
    const MsMarcoData data = open(MsMarcoFiles());
    for (std::int64_t example = 0; example < 2; ++example) {
      std::vector<std::uint32_t> selected =
          example == 0 ? std::vector<std::uint32_t>{1, 2, 3, 4} : std::vector<std::uint32_t>{0, 5};
      Random random(seed, static_cast<std::uint64_t>(example));
      random.shuffle(std::span(selected));
      std::deque<std::uint32_t> negatives(selected.begin(), selected.end());
      std::deque<std::uint32_t> positives =
          example == 0 ? std::deque<std::uint32_t>{0} : std::deque<std::uint32_t>{1, 2};
      for (std::int64_t visit = 0; visit < 11; ++visit) {
        EXPECT_EQ(data.rows(example, visit), (MsMarcoData::Rows{positives.front(), negatives.front()}));
        positives.push_back(positives.front());
        positives.pop_front();
        negatives.push_back(negatives.front());
        negatives.pop_front();
      }
    }
  }
}

TEST_F(MsMarcoTest, SeedShufflesTheNegatives) {
  const MsMarcoData data = open(MsMarcoFiles());
  std::set<std::uint32_t> first;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    options_.seed = seed;
    first.insert(open().rows(0, 0).negative);
  }
  EXPECT_THAT(first, UnorderedElementsAre(1, 2, 3, 4));
}

TEST_F(MsMarcoTest, BatchHoldsQueriesPositivesAndNegatives) {
  const MsMarcoData data = open(MsMarcoFiles());
  const std::vector<std::int64_t> examples{1, 0};
  const TrainingBatch batch = data.batch(examples, 1);
  ASSERT_EQ(batch.columns.size(), 3u);
  EXPECT_THAT(texts(batch.columns[0]), ElementsAre("[eight]", "[seven]"));
  EXPECT_THAT(texts(batch.columns[1]), ElementsAre("{two}", "{zero}"));
  const auto negative = [&](std::int64_t example) {
    return "{" + data.collection().text(data.rows(example, 1).negative) + "}";
  };
  EXPECT_THAT(texts(batch.columns[2]), ElementsAre(negative(1), negative(0)));
}

TEST_F(MsMarcoTest, SparsePassageNumbers) {
  MsMarcoFiles files;
  files.collection = "5\tfive\n900\tnine hundred\n70\tseventy\n";
  files.hard_negatives = "{\"qid\": \"7\", \"pos\": [900], \"neg\": {\"a\": [5, 70]}}\n";
  files.scores = {{7, {{900, 1.0}, {70, 0.0}, {5, -2.0}}}};
  const MsMarcoData data = open(files);
  ASSERT_EQ(data.size(), 1);
  EXPECT_EQ(data.collection().text(data.rows(0, 0).positive), "nine hundred");
  EXPECT_EQ(data.collection().text(data.rows(0, 0).negative), "five");
}

TEST_F(MsMarcoTest, SelectionIsKeptUntilAFileOrAnOptionChanges) {
  MsMarcoFiles files;
  open(files);
  const auto written = std::filesystem::last_write_time(examples());
  open();
  options_.seed = 5;
  options_.max_examples = 1;
  open();
  EXPECT_EQ(std::filesystem::last_write_time(examples()), written);

  options_ = {};
  options_.selection.folder = data_.path();
  files.scores[7][1].second = 7;  // passage 1 is too good now
  EXPECT_THAT(negatives(open(files), 0), UnorderedElementsAre(2, 3, 4));
  options_.selection.systems = {"b"};
  EXPECT_THAT(negatives(open(), 0), UnorderedElementsAre(3, 4));
}

TEST_F(MsMarcoTest, BrokenCacheIsMadeAnew) {
  open(MsMarcoFiles());
  std::string good;
  {
    std::ifstream file(examples(), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (std::size_t i = 0; i < good.size(); ++i) {  // a flipped byte anywhere: never read out of bounds
    std::string broken = good;
    broken[i] = static_cast<char>(broken[i] ^ 0xff);
    data_.write(examples().filename().string(), broken);
    try {
      const MsMarcoData data = open();
      for (std::int64_t example = 0; example < data.size(); ++example) data.batch(std::span(&example, 1), 0);
    } catch (const UserError&) {
    }
  }
  data_.write(examples().filename().string(), good.substr(0, good.size() / 2));
  EXPECT_THAT(negatives(open(), 0), UnorderedElementsAre(1, 2, 3, 4));
}

TEST_F(MsMarcoTest, MissingFilesAreNamedWithWhatTheyHoldAndTheirPublishedNames) {
  MsMarcoFiles().write(data_);
  std::filesystem::remove(data_ / kScores);
  EXPECT_THAT(message(), AllOf(HasSubstr(std::string(kScores) + " is missing"), HasSubstr("cross-encoder's scores"),
                               HasSubstr("sentence-transformers/msmarco-hard-negatives")));
  std::filesystem::remove(data_ / kHardNegatives);
  EXPECT_THAT(message(), HasSubstr(std::string(kHardNegatives) + " is missing"));
  std::filesystem::remove(data_ / "queries.train.tsv");
  EXPECT_THAT(message(), HasSubstr("queries.train.tsv in queries.tar.gz"));
  std::filesystem::remove(data_ / "collection.tsv");
  EXPECT_THAT(message(), HasSubstr("collection.tsv in collection.tar.gz"));
  options_.selection.folder = data_ / "nowhere";
  EXPECT_THAT(message(), AllOf(HasSubstr("nowhere is no folder"), HasSubstr("--data_path")));
}

TEST_F(MsMarcoTest, BrokenHardNegatives) {
  const auto with = [](std::string line) {
    MsMarcoFiles files;
    files.hard_negatives += line + "\n";
    return files;
  };
  const std::string third = std::string(kHardNegatives) + ":3: ";
  EXPECT_THAT(message(with("{\"qid\": 9")), HasSubstr(third + "broken JSON"));
  EXPECT_THAT(message(with("{\"pos\": [1]}")), HasSubstr(third + "expected a string under \"qid\""));
  EXPECT_THAT(message(with("{\"qid\": \"x\", \"pos\": [1]}")), HasSubstr(third + "\"qid\" is \"x\""));
  EXPECT_THAT(message(with("{\"qid\": 9}")), HasSubstr(third + "expected a list of integers under \"pos\""));
  EXPECT_THAT(message(with("{\"qid\": 9, \"pos\": [1]}")), HasSubstr(third + "query 9 is not in queries.train.tsv"));
  EXPECT_THAT(message(with("{\"qid\": 7, \"pos\": [0], \"neg\": {\"a\": [\"1\"]}}")),
              HasSubstr(third + "\"a\" is a string"));
  EXPECT_THAT(message(with("{\"qid\": 7, \"pos\": [0], \"neg\": [1]}")), HasSubstr(third + "\"neg\" is a list"));
  EXPECT_THAT(message(with("{\"qid\": 7, \"pos\": [0], \"neg\": {\"a\": [1, 66]}}")),
              HasSubstr(third + "query 7 names passage 66, which is not in collection.tsv"));
  EXPECT_THAT(message(with("{\"qid\": 7, \"pos\": [-1]}")), HasSubstr(third + "query 7 names passage -1"));
  EXPECT_THAT(message(with("{\"qid\": 7, \"pos\": [0]}")), HasSubstr(third + "query 7 was there before, on line 1"));
}

TEST_F(MsMarcoTest, MissingScores) {
  MsMarcoFiles files;
  files.scores[8].erase(files.scores[8].begin());  // of passage 5
  EXPECT_THAT(message(files), AllOf(HasSubstr(std::string(kHardNegatives) + ":2: query 8 with passage 5 has no score"),
                                    HasSubstr(kScores)));
  files.scores.erase(8);
  EXPECT_THAT(message(files), HasSubstr(std::string(kHardNegatives) + ":2: query 8 has no scores in " + kScores));
}

TEST_F(MsMarcoTest, NoExampleLeft) {
  options_.selection.score_margin = 100;
  EXPECT_THAT(message(MsMarcoFiles()), HasSubstr("of 2 queries none is left"));
}

TEST_F(MsMarcoTest, BrokenQueries) {
  MsMarcoFiles files;
  files.queries = "7\tseven\nno tab\n";
  EXPECT_THAT(message(files), HasSubstr("queries.train.tsv:2: expected a number, a tab and a query, found no tab"));
  files.queries = "7\tseven\nx\ty\n";
  EXPECT_THAT(message(files), HasSubstr("queries.train.tsv:2: expected a query's number before the tab"));
  files.queries = "7\tseven\n8\teight\n7\tx\n";
  EXPECT_THAT(message(files), HasSubstr("queries.train.tsv:3: query 7 was there before, on line 1"));
}

TEST_F(MsMarcoTest, TruncatedGzip) {
  for (const char* name : {kHardNegatives, kScores}) {
    const MsMarcoFiles files;
    files.write(data_);
    const std::string whole = gzipped(name == kScores ? testing::pickled(files.scores) : files.hard_negatives);
    for (std::size_t cut = 2; cut < whole.size(); cut += 5) {
      data_.write(name, whole.substr(0, cut));
      ASSERT_THAT(message(), HasSubstr(std::string(name) + ": truncated")) << cut;
    }
    std::string wrong_sum = whole;
    wrong_sum[whole.size() - 6] ^= 1;
    data_.write(name, wrong_sum);
    EXPECT_THAT(message(), HasSubstr(std::string(name) + ": broken gzip file"));
  }
}

TEST_F(MsMarcoTest, BrokenScores) {
  const auto with = [&](const std::string& pickle) {
    MsMarcoFiles().write(data_);
    data_.write(kScores, gzipped(pickle));
    return message();
  };
  const std::string start = "\x80\x04";
  EXPECT_THAT(with(start + "]."), HasSubstr("expected a dict of query number"));
  EXPECT_THAT(with(start + "}(K\x07K\x01u."), HasSubstr("found the entry 7: 1"));
  EXPECT_THAT(with(start + "}(K\x07}(K\x01Nuu."), HasSubstr("query 7: expected passage number → score, found 1: None"));
  EXPECT_THAT(with(start + "}(K\x07}(\x8c\x01xK\x01uu."), HasSubstr("found a text \"x\""));
  EXPECT_THAT(with(start + "cos\nsystem\n."), HasSubstr("os.system"));
  EXPECT_THAT(with(start + "}(K\x07}"), HasSubstr("truncated"));
}

TEST_F(MsMarcoTest, NothingIsLeftBehindByAFailure) {
  MsMarcoFiles files;
  files.scores.erase(8);
  message(files);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(data_.path())) names.insert(entry.path().filename());
  EXPECT_THAT(names, UnorderedElementsAre("collection.tsv", "collection.tsv.sgpt-index", "queries.train.tsv",
                                          kHardNegatives, kScores));
}

}  // namespace
}  // namespace sgpt
