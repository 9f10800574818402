// Lines and JSON objects as streams, and what is said of broken ones.
#include "base/json_lines.h"
#include "base/json_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/atomic_file.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The message of the UserError that `job` throws.
template <class Job>
std::string user_error(Job job) {
  try {
    job();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

class JsonLines : public ::testing::Test {
 protected:
  JsonLineReader reader(const std::string& content) {
    write_file(folder_ / "in.jsonl", content);
    return JsonLineReader(folder_ / "in.jsonl");
  }
  using Text = JsonLineReader::TitledText;
  testing::TempFolder folder_;
};

TEST_F(JsonLines, LinesOfAnyLengthAndEnd) {
  const std::string long_line(5 << 20, 'x');
  write_file(folder_ / "lines", "a\r\n\n" + long_line + "\nlast");
  LineReader lines(folder_ / "lines");
  std::string_view line;
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "a");
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "");
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, long_line);
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "last");
  EXPECT_EQ(lines.number(), 4);
  EXPECT_FALSE(lines.next(line));
}

TEST_F(JsonLines, ReadsStringsNumbersAndLists) {
  auto lines =
      reader("\n{\"_id\": 17, \"text\": \"na\\u00efve\", \"none\": null, \"l\": [\"a\", 2], \"n\": [1, -2]}\n\n");
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.string("_id"), "17");
  EXPECT_EQ(lines.required_string("text"), "naïve");
  EXPECT_FALSE(lines.string("none"));
  EXPECT_FALSE(lines.has("none"));
  EXPECT_THAT(lines.texts("l"), ElementsAre(Text{"", "a"}, Text{"", "2"}));
  EXPECT_THAT(lines.texts("text"), ElementsAre(Text{"", "naïve"}));
  EXPECT_THAT(lines.integers("n"), ElementsAre(1, -2));
  EXPECT_THAT(lines.keys(), ElementsAre("_id", "text", "l", "n"));
  EXPECT_FALSE(lines.next());
}

TEST_F(JsonLines, ATextMayHaveATitle) {
  auto lines = reader(
      "{\"l\": [{\"docid\": 1, \"title\": \"t\", \"text\": \"a\"}, {\"text\": \"b\"}, \"c\"], \"o\": {\"docid\": "
      "1}}\n");
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(lines.texts("l"), ElementsAre(Text{"t", "a"}, Text{"", "b"}, Text{"", "c"}));
  EXPECT_THAT(user_error([&] { lines.texts("o"); }), HasSubstr("in.jsonl:1: \"o\" is an object"));
}

TEST_F(JsonLines, NamesTheLineThatIsBroken) {
  for (const char* broken : {"{\"text\": \"a", "[1]", "{\"text\": \"\xff\"}", "{\"text\": 1} x"}) {
    auto lines = reader("{\"text\": \"fine\"}\n" + std::string(broken) + "\n");
    EXPECT_TRUE(lines.next());
    EXPECT_THAT(user_error([&] { lines.next(); }), HasSubstr("in.jsonl:2")) << broken;
  }
}

TEST_F(JsonLines, NamesTheKeyOfAnotherKind) {
  auto lines = reader("{\"text\": {\"a\": 1}, \"ids\": [1.5], \"list\": [[]]}\n");
  ASSERT_TRUE(lines.next());
  EXPECT_THAT(user_error([&] { lines.string("text"); }), HasSubstr("in.jsonl:1: \"text\" is an object"));
  EXPECT_THAT(user_error([&] { lines.integers("ids"); }), HasSubstr("\"ids\""));
  EXPECT_THAT(user_error([&] { lines.texts("list"); }), HasSubstr("a list"));
  EXPECT_THAT(user_error([&] { lines.required_string("absent"); }), HasSubstr("\"absent\""));
}

TEST_F(JsonLines, QuotedTextsReadBackTheSame) {
  const std::string text = "a \"b\" \\ \n\t\r\x01 ü 東";
  auto lines = reader("{\"text\": " + json_quoted(text) + "}\n");
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.string("text"), text);
}

TEST_F(JsonLines, RefusesWhatIsNoFile) {
  EXPECT_THROW(LineReader(folder_ / "missing"), UserError);
  EXPECT_THROW(LineReader reader(folder_.path()), UserError);
}

}  // namespace
}  // namespace sgpt
