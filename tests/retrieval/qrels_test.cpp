// Judgements: the formats that are taken, and each way in which a file is refused.
#include "retrieval/qrels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

class QrelsFile : public ::testing::Test {
 protected:
  Qrels read(std::string_view text) { return read_qrels(folder_.write("qrels.tsv", text)); }
  std::string qrels_error(std::string_view text) {
    return error_of([&] { read(text); });
  }

  TempFolder folder_;
};

TEST_F(QrelsFile, OfBeirAndTrec) {
  const Qrels expected{{"1", {{"d 1", 1}, {"d2", 0}}}, {"2", {{"d2", -1}}}};
  EXPECT_EQ(read_qrels(folder_.write("a.tsv", "query-id\tcorpus-id\tscore\r\n1\td 1\t1\r\n1\td2\t0\r\n2\td2\t-1\r\n")),
            expected);
  EXPECT_EQ(read_qrels(folder_.write("b.tsv", "1\td 1\t1\n1\td2\t0\n\n2\td2\t-1")), expected);  // no header
  const Qrels trec{{"1", {{"d1", 1}, {"d2", 0}}}, {"2", {{"d2", 2}}}};
  EXPECT_EQ(read_qrels(folder_.write("c.txt", "1 0 d1 1\n1 0 d2 0\n2 Q0  d2\t2\n")), trec);
}

TEST_F(QrelsFile, TheLastOfTwoJudgementsCounts) {
  const Qrels expected{{"1", {{"d", 2}}}};
  EXPECT_EQ(read_qrels(folder_.write("a.tsv", "query-id\tcorpus-id\tscore\n1\td\t1\n1\td\t2\n")), expected);
}

TEST_F(QrelsFile, BadOnesAreRefusedNamingTheLine) {
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\td\tgood\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\td\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\td\t1\n1\te\t1\t1\n"), HasSubstr("qrels.tsv:3"));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\t\t1\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\td\t1.5\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n1\td\t99999999999\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("1 0 d1 1\n1 0 d2\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_THAT(qrels_error("1 0 d1 one\n"), HasSubstr("qrels.tsv:1"));
  EXPECT_THAT(qrels_error("hello\n"), HasSubstr("qrels.tsv:1"));
  EXPECT_THAT(qrels_error("1\t\xff\t1\n"), AllOf(HasSubstr("qrels.tsv:1"), HasSubstr("UTF-8")));
  EXPECT_THAT(qrels_error("query-id\tcorpus-id\tscore\n"), HasSubstr("no judgement"));
  EXPECT_THAT(qrels_error(""), HasSubstr("no judgement"));
  EXPECT_THAT(error_of([&] { read_qrels(folder_ / "absent.tsv"); }), HasSubstr("absent.tsv"));
}

// As Python's csv module splits them, with which BEIR reads: a mark begins a quotation only at the beginning of a
// column, two of them within it are one, and a tab within it separates nothing.
TEST_F(QrelsFile, IdsInQuotationMarksAreThoseOfTheCsvModule) {
  const Qrels expected{{"q1", {{"d1", 1}}}, {"say \"x\"", {{"a\tb", 2}}}, {"5\"", {{"dx", 1}}}};
  EXPECT_EQ(read("\"query-id\"\t\"corpus-id\"\t\"score\"\r\n"
                 "\"q1\"\t\"d1\"\t\"1\"\r\n"
                 "\"say \"\"x\"\"\"\t\"a\tb\"\t2\r\n"
                 "5\"\t\"d\"x\t1\r\n"),
            expected);
  EXPECT_THAT(qrels_error("q\td\t1\nq1\t\"d1\t1\n"), HasSubstr("qrels.tsv:2"));
  EXPECT_EQ(read("\"q1\" 0 \"d1\" 1\n"), (Qrels{{"\"q1\"", {{"\"d1\"", 1}}}}));  // trec_eval knows no quotations
}

TEST_F(QrelsFile, WholeNumbersMayBeWrittenAsFractions) {
  EXPECT_EQ(read("q1\td1\t1.0\nq1\td2\t+2\nq1\td3\t 3 \n"), (Qrels{{"q1", {{"d1", 1}, {"d2", 2}, {"d3", 3}}}}));
}

TEST_F(QrelsFile, AHeaderIsKnownByItsNames) {
  const Qrels expected{{"q1", {{"d1", 1}}}};
  for (const char* header : {"query-id\tcorpus-id\tscore", "qid\tdocid\trel", "Query_ID\tDoc\tx", "a\tb\trelevance",
                             "topic\tdocument\tlabel"}) {
    EXPECT_EQ(read(std::string(header) + "\nq1\td1\t1\n"), expected) << header;
  }
  EXPECT_EQ(read("qid iter docid rel\nq1 0 d1 1\n"), expected);
  // What may be a judgement is never skipped.
  for (const char* first :
       {"q1\td1\t0.5", "query1\td1\t0,5", "q1\td1\tnan", "q1\td1\t", "query1\td1\tx", "a\tb\tyes", "q1\td1\t1e400"}) {
    EXPECT_THAT(qrels_error(std::string(first) + "\nq2\td2\t1\n"), HasSubstr("qrels.tsv:1")) << first;
  }
}

}  // namespace
}  // namespace sgpt
