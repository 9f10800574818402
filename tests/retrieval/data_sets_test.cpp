// Which data sets a path and a name mean, and what is told of them before a model is loaded.
#include "retrieval/data_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

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

TEST(FindDataSets, TakesTheFolderOrItsSubFolder) {
  const testing::TempFolder folder;
  std::filesystem::create_directories(folder / "fiqa");
  folder.write("fiqa/corpus.jsonl", "");
  EXPECT_EQ(find_data_sets(folder / "fiqa", "").at(0).name, "fiqa");
  EXPECT_EQ(find_data_sets(folder / "fiqa/", "other").at(0).name, "other");
  EXPECT_EQ(find_data_sets(folder.path(), "fiqa").at(0).folder.path, folder / "fiqa");
  EXPECT_THROW(find_data_sets(folder.path(), ""), UserError);
  EXPECT_THROW(find_data_sets(folder.path(), "quora"), UserError);
  EXPECT_THROW(find_data_sets(folder / "absent", ""), UserError);
}

TEST(FindDataSets, KnowsTheTwelveForums) {
  const testing::TempFolder folder;
  const std::vector<std::string> forums{"android", "english",     "gaming", "gis",  "mathematica", "physics",
                                        "stats",   "programmers", "tex",    "unix", "webmasters",  "wordpress"};
  for (const auto& forum : forums) {
    std::filesystem::create_directories(folder / ("cqadupstack/" + forum));
    folder.write("cqadupstack/" + forum + "/corpus.jsonl", "");
  }
  const auto sets = find_data_sets(folder / "cqadupstack", "");
  ASSERT_EQ(sets.size(), 12u);
  EXPECT_EQ(sets[0].name, "cqadupstack_android");
  EXPECT_EQ(find_data_sets(folder.path(), "cqadupstack").size(), 12u);
  EXPECT_EQ(find_data_sets(folder.path(), "cqadupstack/english").at(0).name, "cqadupstack_english");
  EXPECT_EQ(find_data_sets(folder / "cqadupstack", "duplicates").at(0).name, "duplicates_android");
  EXPECT_THAT(error_of([&] { find_data_sets(folder / "cqadupstack", "andriod"); }), HasSubstr("did you mean android?"));
  std::filesystem::remove_all(folder / "cqadupstack/tex");
  try {
    find_data_sets(folder / "cqadupstack", "");
    FAIL() << "a forum is missing, which went unnoticed";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing: tex"));
  }
}

TEST(FindDataSets, SaysWhatIsThereInstead) {
  const testing::TempFolder folder;
  for (const char* name : {"physics", "scifact"}) {
    std::filesystem::create_directories(folder / name);
    folder.write(std::string(name) + "/corpus.jsonl", "");
  }
  std::filesystem::create_directories(folder / "other/raw");
  const auto message = [&](const std::filesystem::path& path, const char* name) {
    return error_of([&] { find_data_sets(path, name); });
  };
  EXPECT_THAT(message(folder / "absent", "x"), StartsWith((folder / "absent").string() + ": there is no such folder"));
  EXPECT_THAT(message(folder / "physics/corpus.jsonl", ""), HasSubstr("this is a file"));
  // A forum's name among other data sets makes no cqadupstack.
  EXPECT_THAT(message(folder.path(), ""), HasSubstr("--dataset) physics, scifact"));
  EXPECT_THAT(message(folder.path(), "scifat"),
              AllOf(HasSubstr("called scifat"), HasSubstr("did you mean scifact?"), HasSubstr("physics, scifact")));
  EXPECT_THAT(message(folder.path(), "other"),
              AllOf(StartsWith((folder / "other: ").string()), HasSubstr("found raw")));
}

class CheckDataSet : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "qrels");
    folder_.write("corpus.jsonl", "{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": \"d 2\", \"text\": \"b\"}\n");
    folder_.write("queries.jsonl", "{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": \"q 2\", \"text\": \"b\"}\n");
  }

  /// The warnings and the error.
  std::string told(std::string_view qrels, const DataSetChecks& checks = {}) {
    folder_.write("qrels/test.tsv", qrels);
    ::testing::internal::CaptureStderr();
    const std::string error = error_of([&] { check_data_set({"name", {folder_.path()}}, checks); });
    const std::string warnings = ::testing::internal::GetCapturedStderr();
    return error == "no error" ? warnings : warnings + error;
  }

  testing::TempFolder folder_;
};

TEST_F(CheckDataSet, CountsRelevantDocumentsThatTheCorpusLacks) {
  EXPECT_THAT(told("1\td 2\t1\n"), IsEmpty());
  EXPECT_THAT(
      told("1\td 2\t1\n1\tx\t1\n1\ty\t2\nq 2\tx\t1\n1\tz\t0\n"),
      AllOf(HasSubstr("2 of 3 relevant documents are not in"), HasSubstr("the first \"x\""), HasSubstr("warning")));
  EXPECT_THAT(told("1\tx\t1\n"), HasSubstr("none of its 1 relevant documents is in"));
  EXPECT_THAT(told("1\td 2\t0\n"), HasSubstr("no document is relevant"));
}

TEST_F(CheckDataSet, TellsOfRelevantDocumentsWithTheirQuerysId) {
  const std::string_view qrels = "1\t1\t1\n1\td 2\t1\n";
  EXPECT_THAT(told(qrels), AllOf(HasSubstr("1 of 2 relevant documents"), HasSubstr("the first \"1\""),
                                 HasSubstr("--keep_same_ids")));
  EXPECT_THAT(told(qrels, {.keep_same_ids = true}), IsEmpty());
  EXPECT_THAT(told("1\t1\t0\n1\td 2\t1\n"), IsEmpty());  // judged as not relevant: leaving it out changes nothing
}

TEST_F(CheckDataSet, IdsThatARunFileCannotHoldAreNamedWithTheirPlace) {
  EXPECT_THAT(told("1\td 2\t1\n", {.run_file = true}), AllOf(HasSubstr("corpus.jsonl:2"), HasSubstr("\"d 2\"")));
  EXPECT_THAT(told("q 2\td 2\t1\n", {.run_file = true}), AllOf(HasSubstr("queries.jsonl"), HasSubstr("\"q 2\"")));
}

TEST_F(CheckDataSet, NamesTheSplitsThatAreThere) {
  folder_.write("qrels/train.tsv", "");
  EXPECT_THAT(told("1\td 2\t1\n", {.split = "tset"}),
              AllOf(HasSubstr("no tset.tsv (--split)"), HasSubstr("did you mean test?"), HasSubstr("test, train")));
  std::filesystem::remove(folder_ / "queries.jsonl");
  EXPECT_THAT(told("1\td 2\t1\n"), HasSubstr("no queries.jsonl"));
}

}  // namespace
}  // namespace sgpt
