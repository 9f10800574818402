// Training data from JSON lines and BEIR folders: what a batch holds, and which line a message names.
#include "train/data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrainingDataTest : public ::testing::Test {
 protected:
  TrainingDataTest() : model_(testing::write_tiny_model(folder_.path() / "model")) {}

  TextPreparation preparation() const {
    return TextPreparation(Tokenizer::load(model_ / "tokenizer.json"), read_model_folder(model_), {.brackets = true});
  }

  TrainingData read(std::string_view lines, const TrainingDataOptions& options = {}) const {
    return TrainingData::read(folder_.write("data.jsonl", lines), preparation(), options);
  }

  std::string message(std::string_view lines, const TrainingDataOptions& options = {}) const {
    return message_of([&] { read(lines, options); });
  }

  static std::string message_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  /// The texts of a column, brackets included.
  std::vector<std::string> texts(const TokenBatch& column) const {
    const Tokenizer tokenizer = Tokenizer::load(model_ / "tokenizer.json");
    std::vector<std::string> result;
    for (std::size_t i = 0; i + 1 < column.offsets.size(); ++i) {
      const auto begin = static_cast<std::size_t>(column.offsets[i]);
      result.push_back(tokenizer.decode(
          std::span(column.ids).subspan(begin, static_cast<std::size_t>(column.offsets[i + 1]) - begin)));
    }
    return result;
  }

  TrainingBatch all(const TrainingData& data, std::int64_t visit = 0) const {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(data.size()));
    std::iota(numbers.begin(), numbers.end(), 0);
    return data.batch(numbers, visit);
  }

  testing::TempFolder folder_;
  std::filesystem::path model_;
};

TEST_F(TrainingDataTest, TripletsMakeThreeColumns) {
  const TrainingData data = read(R"({"query": "a", "positive": "b", "negative": "c"})"
                                 "\n\n"
                                 R"({"query": " d ", "positive": "e", "negative": "f", "other": 1})"
                                 "\n");
  EXPECT_EQ(data.size(), 2);
  const TrainingBatch batch = all(data);
  ASSERT_EQ(batch.columns.size(), 3u);
  EXPECT_THAT(texts(batch.columns[0]), ElementsAre("[a]", "[d]"));
  EXPECT_THAT(texts(batch.columns[1]), ElementsAre("{b}", "{e}"));
  EXPECT_THAT(texts(batch.columns[2]), ElementsAre("{c}", "{f}"));
}

TEST_F(TrainingDataTest, PairsMakeTwoColumns) {
  const TrainingBatch batch = all(read(R"({"query": "a", "positive": "b"})"));
  ASSERT_EQ(batch.columns.size(), 2u);
  EXPECT_THAT(texts(batch.columns[1]), ElementsAre("{b}"));
}

TEST_F(TrainingDataTest, ListsGiveAsManyColumnsAsTheShortestHasAndGoOnAtTheNextVisit) {
  const TrainingData data = read(R"({"query": "a", "positive": ["p", "q"], "negatives": ["1", "2", "3"]})"
                                 "\n"
                                 R"({"query": "b", "positive": "r", "negative": "4", "negatives": ["5"]})");
  EXPECT_EQ(data.negatives_per_query(), 2);
  const TrainingBatch first = all(data, 0);
  const TrainingBatch second = all(data, 1);
  ASSERT_EQ(first.columns.size(), 4u);
  EXPECT_THAT(texts(first.columns[1]), ElementsAre("{p}", "{r}"));
  EXPECT_THAT(texts(first.columns[2]), ElementsAre("{1}", "{4}"));
  EXPECT_THAT(texts(first.columns[3]), ElementsAre("{2}", "{5}"));
  EXPECT_THAT(texts(second.columns[1]), ElementsAre("{q}", "{r}"));
  EXPECT_THAT(texts(second.columns[2]), ElementsAre("{3}", "{4}"));
  EXPECT_THAT(texts(second.columns[3]), ElementsAre("{1}", "{5}"));
}

TEST_F(TrainingDataTest, FewerNegativesCanBeAskedFor) {
  const TrainingData data =
      read(R"({"query": "a", "positive": "p", "negatives": ["1", "2"]})", {.negatives_per_query = 1});
  EXPECT_THAT(texts(all(data, 0).columns[2]), ElementsAre("{1}"));
  EXPECT_THAT(texts(all(data, 1).columns[2]), ElementsAre("{2}"));
  EXPECT_THAT(texts(all(data, 2).columns[2]), ElementsAre("{1}"));
}

TEST_F(TrainingDataTest, TheNamesOfOtherToolsAreTaken) {
  const auto columns = [&](const std::string& line) {
    const TrainingBatch batch = all(read(line));
    std::vector<std::string> found;
    for (const TokenBatch& column : batch.columns) found.push_back(texts(column).front());
    return found;
  };
  EXPECT_THAT(columns(R"({"anchor": "a", "positive": "b", "negative": "c"})"), ElementsAre("[a]", "{b}", "{c}"));
  EXPECT_THAT(columns(R"({"anchor": "a", "positive": "b", "negative_10": "z", "negative_2": "d", "negative_1": "c"})"),
              ElementsAre("[a]", "{b}", "{c}", "{d}", "{z}"));
  EXPECT_THAT(columns(R"({"query": "a", "pos": ["b"], "neg": ["c", "d"], "query_id": "7"})"),
              ElementsAre("[a]", "{b}", "{c}", "{d}"));
  EXPECT_THAT(columns(R"({"query": "a", "positive_passages": [{"docid": "1", "title": "t", "text": "b"}], )"
                      R"("negative_passages": [{"docid": "2", "title": "", "text": "c"}]})"),
              ElementsAre("[a]", "{t b}", "{c}"));
  EXPECT_THAT(
      columns(R"({"query": "a", "positives": "b", "negative": null, "hard_negatives": ["c"], "negatives": "d"})"),
      ElementsAre("[a]", "{b}", "{d}", "{c}"));
}

TEST_F(TrainingDataTest, WhatWasSurelyNotMeantIsToldOnceWithItsFirstLine) {
  const auto warnings = [&](std::string_view lines, bool warn = true) {
    ::testing::internal::CaptureStderr();
    read(lines, {.warnings = warn});
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string good = R"({"query": "a", "positive": "b", "negative": "c"})"
                           "\n";
  EXPECT_EQ(warnings(good), "");
  EXPECT_EQ(warnings(good + R"({"query": "d", "positive": "e", "negative": " e "})"),
            "warning: " + folder_.path().string() +
                "/data.jsonl:2: a negative is the positive itself: that cannot be learnt\n");
  EXPECT_THAT(warnings(R"({"query": "a", "positive": "", "negative": "c"})"
                       "\n"
                       R"({"query": "b", "positive": "\u2003", "negative": "c"})"),
              HasSubstr("data.jsonl:1: a positive is empty (2 times; this is the first)\n"));
  EXPECT_THAT(warnings(R"({"query": " ", "positive": "b", "negative": "c"})"), HasSubstr(":1: the query is empty\n"));
  EXPECT_THAT(warnings(R"({"query": "q", "positive": "b", "negative": ["", "d"]})"),
              HasSubstr(":1: a negative is empty"));
  EXPECT_THAT(warnings(R"({"query": "b", "positive": "b", "negative": "c"})"),
              HasSubstr(":1: a positive is the query"));
  EXPECT_THAT(warnings(R"({"query": "q", "positive": "b", "negative": ["d", "d "]})"),
              HasSubstr(":1: a negative is listed twice"));
  EXPECT_THAT(warnings(good + good), HasSubstr(":2: the query and its positive stood in an earlier line already\n"));
  EXPECT_THAT(warnings(R"({"query": "q", "positive": "b", "negativ": "c"})"), HasSubstr(":1: \"negativ\" is not used"));
  EXPECT_EQ(warnings(R"({"query": "q", "positive": "", "negativ": "c"})", false), "");
}

TEST_F(TrainingDataTest, OnlyTheFirstExamplesCanBeAskedFor) {
  const std::string line = R"({"query": "a", "positive": "b"})";
  EXPECT_EQ(read(line + "\n" + line + "\nbroken", {.max_examples = 2}).size(), 2);
}

TEST_F(TrainingDataTest, MoreTextsThanAreTokenisedAtOnceKeepTheirPlaces) {
  std::string lines;
  for (int i = 0; i < 9000; ++i) {
    lines += R"({"query": ")" + std::to_string(i) + R"(", "positive": "p)" + std::to_string(i) + "\"}\n";
  }
  const TrainingData data = read(lines);
  ASSERT_EQ(data.size(), 9000);
  const std::vector<std::int64_t> some{0, 8191, 8192, 8999};
  const TrainingBatch batch = data.batch(some, 0);
  EXPECT_THAT(texts(batch.columns[0]), ElementsAre("[0]", "[8191]", "[8192]", "[8999]"));
  EXPECT_THAT(texts(batch.columns[1]), ElementsAre("{p0}", "{p8191}", "{p8192}", "{p8999}"));
}

TEST_F(TrainingDataTest, BrokenLinesAreNamed) {
  const std::string good = R"({"query": "a", "positive": "b", "negative": "c"})";
  EXPECT_THAT(message(good + "\n{\"query\": \"a\""), HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(good + "\n" + R"({"positive": "b", "negative": "c"})"), HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(good + "\n" + R"({"query": "a", "negative": "c"})"),
              ::testing::AllOf(HasSubstr("data.jsonl:2"), HasSubstr("positive")));
  EXPECT_THAT(message(good + "\n" + R"({"query": "a", "positive": [], "negative": "c"})"), HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(good + "\n" + R"({"query": "a", "positive": 5, "negative": {"no": 1}})"),
              HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(good + "\n" + R"({"query": "a", "positive": "b"})"),
              ::testing::AllOf(HasSubstr("data.jsonl:2"), HasSubstr("data.jsonl:1")));
  EXPECT_THAT(message(R"({"query": "a", "positive": "b"})"
                      "\n" +
                      good),
              HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(good, {.negatives_per_query = 2}), HasSubstr("data.jsonl:1"));
  EXPECT_THAT(message(good + "\n{\"query\": \"\xff\", \"positive\": \"b\", \"negative\": \"c\"}"),
              HasSubstr("data.jsonl:2"));
  EXPECT_THAT(message(""), HasSubstr("no training example"));
  EXPECT_THAT(message_of([&] { TrainingData::read(folder_ / "absent.jsonl", preparation(), {}); }),
              HasSubstr("absent.jsonl"));
}

class TrainingFromBeir : public TrainingDataTest {
 protected:
  TrainingFromBeir() { std::filesystem::create_directories(folder_.path() / "qrels"); }
  TrainingData read_folder(const std::string& qrels, const TrainingDataOptions& options = {}) const {
    folder_.write("corpus.jsonl", R"({"_id": "d1", "title": "T", "text": "one"})"
                                  "\n"
                                  R"({"_id": "d2", "title": null, "text": "two"})"
                                  "\n"
                                  R"({"_id": "d3", "text": ""})"
                                  "\n");
    folder_.write("queries.jsonl", R"({"_id": "q1", "text": "first"})"
                                   "\n"
                                   R"({"_id": "q2", "text": "second"})"
                                   "\n"
                                   R"({"_id": "q3", "text": "third"})"
                                   "\n");
    folder_.write("qrels/train.tsv", "query-id\tcorpus-id\tscore\n" + qrels);
    return TrainingData::read(folder_.path(), preparation(), options);
  }
};

TEST_F(TrainingFromBeir, AQueryIsAnExampleWithAllItsPositives) {
  const TrainingData data = read_folder("q2\td2\t1\nq1\td1\t1\nq1\td2\t2\nq3\td1\t0\n");
  EXPECT_EQ(data.size(), 2);
  EXPECT_EQ(data.negatives_per_query(), 0);
  EXPECT_THAT(texts(all(data, 0).columns[0]), ElementsAre("[first]", "[second]"));
  EXPECT_THAT(texts(all(data, 0).columns[1]), ElementsAre("{T one}", "{two}"));
  EXPECT_THAT(texts(all(data, 1).columns[1]), ElementsAre("{two}", "{two}"));
}

TEST_F(TrainingFromBeir, PositivesThatTheCorpusLacksAreLeftOut) {
  const TrainingData data = read_folder("q1\td1\t1\nq1\tabsent\t1\nq2\td3\t1\n");
  EXPECT_EQ(data.size(), 1);
  EXPECT_THAT(texts(all(data, 1).columns[1]), ElementsAre("{T one}"));
}

TEST_F(TrainingFromBeir, WhatCannotBeTrainedOnIsAnError) {
  EXPECT_THAT(message_of([&] { read_folder("q1\tabsent\t1\n"); }), HasSubstr("no training example"));
  EXPECT_THAT(message_of([&] { read_folder("q1\td1\n"); }), HasSubstr("train.tsv:2"));
  EXPECT_THAT(message_of([&] { read_folder("q1\td1\t1\n", {.negatives_per_query = 1}); }), HasSubstr("negatives"));
}

}  // namespace
}  // namespace sgpt
