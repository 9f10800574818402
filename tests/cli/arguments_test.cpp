// The command line: what is mistyped is told by its name, and what is typed arrives letter by letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/program.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

/// The one sentence that a command line ends with, status 2.
std::string mistake(const Words& words) {
  const Outcome outcome = sgpt(words);
  EXPECT_EQ(outcome.status, 2) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  return outcome.err;
}

TEST(Arguments, AMistypedWordIsNamedBeforeWhatIsRequired) {
  const std::vector<std::pair<Words, std::string>> cases{
      {{"serch", "--model", "m"}, "\"serch\" is no command of sgpt; did you mean search?"},
      {{"tokenizer", "tarin"}, "\"tarin\" is no command of sgpt tokenizer; did you mean train?"},
      {{"frobnicate"}, "there are encode, search"},
      {{}, "needs a command: encode, search"},
      {{"bench"}, "sgpt bench needs a command: encode"},
      {{"encode", "--modell", "m"}, "--modell is no option of sgpt encode; did you mean --model?"},
      {{"encode", "--modell=m"}, "--modell is no option of sgpt encode; did you mean --model?"},
      {{"encode", "-model", "m"}, "-model is no option of sgpt encode; did you mean --model?"},
      {{"encode", "—model", "m"}, "did you mean --model?"},
      {{"train", "--train-batch_size", "4"}, "did you mean --train_batch_size?"},
      {{"search", "--split", "dev"}, "--split is no option of sgpt search; it is one of sgpt eval"},
      {{"search", "--thermodynamics"}, "stands behind --"},
      {{"encode", "x.txt"}, "sgpt encode: the argument \"x.txt\" was not expected"},
      {{"info", "a", "b"}, "the argument \"b\" was not expected"},
      {{"encode", "--input"}, "--input needs a value"},
      {{"encode", "--input", "--output", "o"}, "--input needs a value, found --output"},
      {{"encode", "--input="}, "--input needs a value, found an empty one"},
      {{"encode", "--query=yes"}, "--query takes no value, found \"yes\""},
      {{"encode", "--model", "a", "--model", "b"}, "--model is given twice"},
  };
  for (const auto& [words, part] : cases) {
    SCOPED_TRACE(::testing::PrintToString(words));
    EXPECT_THAT(mistake(words), AllOf(HasSubstr(part), Not(HasSubstr("required"))));
  }
  EXPECT_THAT(mistake({"encode", "--query"}), AllOf(HasSubstr("required"), HasSubstr("(see sgpt encode --help)")));
}

TEST(Arguments, FilesAreCalledWhatWasTyped) {
  const TempFolder home;
  const std::vector<std::string> odd{"[a, b].run", "[x]",   "a,b.run", "\"quoted\".run", "back\\slash",
                                     "=x",         "{a=b}", "search",  " leading"};
  home.write("q.tsv", "q1\td1\t1\n");
  for (const std::string& name : odd) {
    home.write(name, "q1 Q0 d1 1 1 tag\n");
    const std::string file = (home / name).string();
    const Outcome outcome = sgpt({"score", "--qrels", (home / "q.tsv").string(), "--run", file});
    EXPECT_EQ(outcome.status, 0) << name << ": " << outcome.err;
    EXPECT_EQ(sgpt({"score", "--qrels", (home / "q.tsv").string(), "--run=" + file}).out, outcome.out) << name;
  }
}

TEST(Arguments, QueriesAreWhatWasTyped) {
  const TempFolder home;
  write_tiny_model(home / "model");
  home.write("c.jsonl", "{\"_id\": \"1\", \"text\": \"heat\"}\n");
  const Words queries{"[heat]", "[a, b]", "a,b", "train", "search", "++", "=x", "'q'", "\"", "-5 degrees", "\\n"};
  Words words{"search", "--model", (home / "model").string(), "--corpus", (home / "c.jsonl").string(), "--json"};
  words.insert(words.end(), queries.begin(), queries.end());
  const Words behind{"--", "--model", "-x", "--"};
  words.insert(words.end(), behind.begin(), behind.end());
  const Outcome outcome = sgpt(words);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  Words searched;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) searched.push_back(nlohmann::json::parse(line)["query"]);
  Words expected = queries;
  expected.insert(expected.end(), behind.begin() + 1, behind.end());
  EXPECT_EQ(searched, expected);
}

TEST(Search, AnswersCarryTheQuerysIdAndBlankLinesAreTold) {
  const TempFolder home;
  write_tiny_model(home / "model");
  home.write("c.jsonl", "{\"_id\": \"1\", \"text\": \"heat\"}\n");
  home.write("q.jsonl",
             "{\"_id\": \"q7\", \"text\": \"heat\"}\n\n{\"_id\": 8, \"text\": \"sand\"}\n{\"text\": \"sea\"}\n");
  home.write("q.txt", "heat\n \n\nsand\n");
  const auto search = [&](const std::string& queries, const std::string& input = {}) {
    Words words{"search", "--model", (home / "model").string(), "--corpus", (home / "c.jsonl").string(), "--json"};
    if (!queries.empty()) words.insert(words.end(), {"--queries", (home / queries).string()});
    return sgpt(words, input);
  };
  const Outcome objects = search("q.jsonl");
  EXPECT_THAT(objects.out,
              AllOf(StartsWith("{\"id\": \"q7\", \"query\": \"heat\""),
                    HasSubstr("\n{\"id\": \"8\", \"query\": \"sand\""), HasSubstr("\n{\"query\": \"sea\"")));
  const Outcome lines = search("q.txt");
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 2);
  EXPECT_THAT(lines.err, HasSubstr("q.txt:2: a blank line, the first of 2"));
  const Outcome piped = search("", "heat\n \n\nsand\n");
  EXPECT_EQ(std::count(piped.out.begin(), piped.out.end(), '\n'), 2);
  EXPECT_THAT(piped.err, HasSubstr(":2: a blank line, the first of 2"));
  home.write("empty.jsonl", "{\"_id\": \"a\", \"text\": \"x\"}\n{\"_id\": \"b\", \"text\": \" \"}\n");
  EXPECT_THAT(search("empty.jsonl").err, HasSubstr("empty.jsonl:2: the query is empty"));
}

}  // namespace
}  // namespace sgpt::testing
