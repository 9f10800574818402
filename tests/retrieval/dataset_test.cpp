// Readers of BEIR folders and run files: what they take, and each way in which they refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "retrieval/dataset.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempFolder;

/// The sentence of the UserError that a call ends with.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<Document> read_corpus(const std::filesystem::path& file) {
  std::vector<Document> documents;
  CorpusReader reader(file);
  for (Document document; reader.next(document);) documents.push_back(document);
  return documents;
}

class DataSet : public ::testing::Test {
 protected:
  std::string corpus_error(std::string_view text) {
    const auto file = folder_.write("corpus.jsonl", text);
    return error_of([&] { read_corpus(file); });
  }
  std::string run_error(std::string_view text) {
    const auto file = folder_.write("run.trec", text);
    return error_of([&] { read_trec_run(file); });
  }

  TempFolder folder_;
};

TEST_F(DataSet, DocumentIsTitleAndText) {
  const auto documents =
      read_corpus(folder_.write("corpus.jsonl", R"({"_id": "a", "title": "Wings", "text": "of\na bird "}
{"_id": 17, "title": null, "text": "  no title"}

{"_id": "c", "text": "none at all", "metadata": {"x": 1}}
)"));
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[0].content, "Wings of\na bird ");  // line ends are what TextPreparation sees to
  EXPECT_EQ(documents[0].text, "of\na bird ");
  EXPECT_EQ(documents[1].id, "17");
  EXPECT_EQ(documents[1].content, "  no title");
  EXPECT_EQ(documents[2].content, "none at all");
}

TEST_F(DataSet, DocumentsWithoutTitleAndTextAreDropped) {
  CorpusReader reader(folder_.write("corpus.jsonl", R"({"_id": "a", "title": "only a title", "text": ""}
{"_id": "b", "title": "", "text": " \n"}
{"_id": "c", "text": null}
{"_id": "d", "text": "kept"})"));
  Document document;
  ASSERT_TRUE(reader.next(document));
  EXPECT_EQ(document.id, "a");
  ASSERT_TRUE(reader.next(document));
  EXPECT_EQ(document.id, "d");
  EXPECT_EQ(reader.line(), 4);
  EXPECT_FALSE(reader.next(document));
  EXPECT_EQ(reader.documents(), 2);
  EXPECT_EQ(reader.only_titles(), 1);
  EXPECT_EQ(reader.dropped(), 2);
}

TEST_F(DataSet, BadCorporaAreRefusedNamingTheLine) {
  EXPECT_THAT(corpus_error("{\"_id\": \"a\", \"text\": \"x\"}\n\n{\"_id\": \"a\", \"text\": \"y\"}\n"),
              AllOf(HasSubstr("corpus.jsonl:3"), HasSubstr("\"a\""), HasSubstr("corpus.jsonl:1")));
  EXPECT_THAT(corpus_error("{\"_id\": \"a\", \"text\": \"x\"}\n{\"_id\": broken\n"), HasSubstr("corpus.jsonl:2"));
  EXPECT_THAT(corpus_error("{\"text\": \"x\"}\n"), AllOf(HasSubstr("corpus.jsonl:1"), HasSubstr("_id")));
  EXPECT_THAT(corpus_error("{\"_id\": \"\", \"text\": \"x\"}\n"), HasSubstr("corpus.jsonl:1"));
  EXPECT_THAT(corpus_error("{\"_id\": \"a\", \"text\": [1]}\n"), AllOf(HasSubstr("corpus.jsonl:1"), HasSubstr("text")));
  EXPECT_THAT(corpus_error("[1]\n"), HasSubstr("corpus.jsonl:1"));
  EXPECT_THAT(corpus_error("{\"_id\": \"a\", \"text\": \"\xff\"}\n"), HasSubstr("corpus.jsonl:1"));
  EXPECT_THAT(corpus_error(""), HasSubstr("corpus is empty"));
  EXPECT_THAT(corpus_error("{\"_id\": \"a\", \"text\": \"\"}\n"), HasSubstr("corpus is empty"));
  EXPECT_THAT(error_of([&] { read_corpus(folder_ / "absent.jsonl"); }), HasSubstr("absent.jsonl"));
}

TEST_F(DataSet, QueriesKeepTheirOrder) {
  const auto queries = read_queries(
      folder_.write("queries.jsonl", "{\"_id\": \"b\", \"text\": \"two\\nlines\"}\n{\"_id\": 1, \"text\": \"\"}\n"));
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].text, "two\nlines");
  EXPECT_EQ(queries[1].id, "1");
}

TEST_F(DataSet, BadQueriesAreRefused) {
  const auto repeated =
      folder_.write("q1.jsonl", "{\"_id\": \"a\", \"text\": \"x\"}\n{\"_id\": \"a\", \"text\": \"y\"}\n");
  EXPECT_THAT(error_of([&] { read_queries(repeated); }), AllOf(HasSubstr("q1.jsonl:2"), HasSubstr("q1.jsonl:1")));
  const auto textless = folder_.write("q2.jsonl", "{\"_id\": \"a\"}\n");
  EXPECT_THAT(error_of([&] { read_queries(textless); }), AllOf(HasSubstr("q2.jsonl:1"), HasSubstr("text")));
  EXPECT_THAT(error_of([&] { read_queries(folder_.write("q3.jsonl", "\n")); }), HasSubstr("no query"));
}

TEST_F(DataSet, OnlyJudgedQueriesAreRun) {
  const auto file = folder_.write("queries.jsonl", R"({"_id": "c", "text": "x"}
{"_id": "b", "text": "y"}
{"_id": "a", "text": "z"})");
  const auto queries = read_judged_queries(file, {{"a", {{"d", 1}}}, {"c", {{"d", 1}}}});
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].id, "c");
  EXPECT_EQ(queries[1].id, "a");
  EXPECT_THAT(error_of([&] {
                read_judged_queries(file, {{"a", {}}, {"lost", {}}});
              }),
              AllOf(HasSubstr("queries.jsonl"), HasSubstr("\"lost\"")));
}

TEST_F(DataSet, NameIsTheFoldersOwn) {
  EXPECT_EQ(DataSetFolder{"/data/scifact"}.name(), "scifact");
  EXPECT_EQ(DataSetFolder{"/data/scifact/"}.name(), "scifact");
  EXPECT_EQ(DataSetFolder{"/data/x/../scifact/."}.name(), "scifact");
}

TEST_F(DataSet, RunsSurviveTheRoundTrip) {
  const auto file = folder_ / "run.trec";
  const std::vector<float> scores{0.1f, 1.0f / 3, 1e-30f, -2.5f, 16777217.0f, 0.30000001f};
  std::vector<ScoredDocument> hits;
  for (std::size_t i = 0; i < scores.size(); ++i) hits.push_back({"d" + std::to_string(i), scores[i]});
  sort_as_trec_eval(hits);
  TrecRunWriter writer(file, "my model");
  writer.add("q1", hits);
  writer.add("q2", {});
  EXPECT_FALSE(std::filesystem::exists(file));
  writer.commit();
  const auto run = read_trec_run(file);
  ASSERT_EQ(run.size(), 1u);
  ASSERT_EQ(run.at("q1").size(), hits.size());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(run.at("q1")[i].id, hits[i].id);
    EXPECT_EQ(static_cast<float>(run.at("q1")[i].score), static_cast<float>(hits[i].score));
  }
}

TEST_F(DataSet, IdsThatARunFileCannotHoldAreRefused) {
  TrecRunWriter writer(folder_ / "run.trec", "");
  EXPECT_THAT(error_of([&] { writer.add("a b", {{"d", 1}}); }), AllOf(HasSubstr("run.trec"), HasSubstr("\"a b\"")));
  EXPECT_THAT(error_of([&] { writer.add("q", {{"d\t1", 1}}); }), HasSubstr("white space"));
  EXPECT_THAT(error_of([&] { writer.add("q", {{"", 1}}); }), HasSubstr("\"\""));
}

TEST_F(DataSet, BadRunsAreRefusedNamingTheLine) {
  EXPECT_THAT(run_error("1 Q0 d 1 0.5 tag\n1 Q0 e 2 tag\n"), HasSubstr("run.trec:2"));
  EXPECT_THAT(run_error("1 Q0 d 1 0.5 tag more\n"), HasSubstr("run.trec:1"));
  EXPECT_THAT(run_error("1 Q0 d 1 high tag\n"), HasSubstr("run.trec:1"));
  EXPECT_THAT(run_error("1 Q0 d 1 nan tag\n"), HasSubstr("run.trec:1"));
  EXPECT_THAT(run_error("1 Q0 d 1 inf tag\n"), HasSubstr("run.trec:1"));
  EXPECT_THAT(run_error("1 Q0 d\xff 1 1 tag\n"), HasSubstr("run.trec:1"));
  EXPECT_THAT(run_error("1 Q0 d 1 1 t\n2 Q0 d 1 1 t\n1 Q0 e 1 1 t\n1 Q0 d 1 1 t\n"),
              AllOf(HasSubstr("run.trec:4"), HasSubstr("\"d\"")));
  EXPECT_THAT(run_error(" \n"), HasSubstr("empty"));
}

}  // namespace
}  // namespace sgpt
