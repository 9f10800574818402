// What all readers of text files share: marks, packings, lists of JSON objects, half surrogates, equal keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_lines.h"
#include "base/mapped_text.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Job>
std::string user_error(Job job) {
  try {
    job();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

using Placed = std::pair<std::string, std::int64_t>;

class TextFiles : public ::testing::Test {
 protected:
  /// The texts of a file's objects with their lines; each is read again from where it is said to begin.
  std::vector<Placed> objects(const std::string& content) {
    JsonLineReader reader(folder_.write("in.json", content));
    std::vector<Placed> texts;
    while (reader.next()) {
      texts.emplace_back(reader.required_string("text"), reader.number());
      const auto rest = std::as_bytes(std::span(content).subspan(reader.offset()));
      JsonLineReader again(TextStream(ByteSource("again", rest)), JsonLayout::elements);
      EXPECT_TRUE(again.next());
      EXPECT_EQ(again.required_string("text"), texts.back().first);
    }
    return texts;
  }
  std::string failure(const std::string& content) {
    return user_error([&] { objects(content); });
  }
  std::string line_failure(const std::string& content) {
    LineReader lines(folder_.write("in.txt", content));
    std::string_view line;
    return user_error([&] { lines.next(line); });
  }

  testing::TempFolder folder_;
};

TEST_F(TextFiles, AListIsReadAsItsObjects) {
  const std::vector<Placed> expected{{"a]},{", 1}, {"b", 3}};
  EXPECT_EQ(objects(R"([{"text": "a]},{"},)"
                    "\n\n"
                    R"( {"text": "b", "more": [[], {"x": "\""}]} ])"
                    "\n\n"),
            expected);
  EXPECT_EQ(objects("[{\"text\":\"a\"},{\"text\":\"b\"}]"), (std::vector<Placed>{{"a", 1}, {"b", 1}}));
  EXPECT_EQ(objects(" [\r\n{\"text\"\r\n:\"a\"}\r\n]"), (std::vector<Placed>{{"a", 2}}));
  EXPECT_EQ(objects("[]"), std::vector<Placed>{});
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(objects("[{\"text\":\"" + large + "\"}]"), (std::vector<Placed>{{large, 1}}));
}

TEST_F(TextFiles, ABrokenListIsRefusedNamingTheLine) {
  EXPECT_THAT(failure("[\n{\"text\": \"a\"}\n"), HasSubstr("in.json:3: broken JSON: the list has no end"));
  EXPECT_THAT(failure("[{\"text\": \"a\"}\n{\"text\": \"b\"}]"), HasSubstr("in.json:2: broken JSON: expected a comma"));
  EXPECT_THAT(failure("[{\"text\": \"a\"},\n{\"text\": \"b"), HasSubstr("in.json:2: broken JSON"));
  EXPECT_THAT(failure("[{\"text\": \"a\"},\n\"b\"]"), AllOf(HasSubstr("in.json:2"), HasSubstr("a string")));
  EXPECT_THAT(failure("[{\"text\": \"a\"}]\n{\"text\": \"b\"}"), HasSubstr("in.json:2: broken JSON: something stands"));
  EXPECT_THAT(failure("[{\"text\": \"a\"},\n]"), HasSubstr("in.json:2: broken JSON"));
}

TEST_F(TextFiles, HalfSurrogatesAreTheReplacementCharacter) {
  ::testing::internal::CaptureStderr();
  const auto texts = objects(R"({"text": "cut \ud83d"})"
                             "\n"
                             R"({"text": "whole \ud83d\ude80 \\ud83d"})"
                             "\n"
                             R"({"text": "\udc00\ud83d\ud83d\uDE80\uD800x"})");
  EXPECT_EQ(texts, (std::vector<Placed>{{"cut \ufffd", 1}, {"whole 🚀 \\ud83d", 2}, {"\ufffd\ufffd🚀\ufffdx", 3}}));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, AllOf(HasSubstr("4 lone surrogates"), HasSubstr("in.json:1\n")));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(TextFiles, OfEqualKeysTheLastCounts) {
  JsonLineReader reader(
      folder_.write("in.json", R"({"text": "a", "l": {"s": [1], "s": [2]}, "text": "b", "n": 1, "n": null})"));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.string("text"), "b");
  EXPECT_FALSE(reader.has("n"));
  const auto lists = reader.integer_lists("l");
  ASSERT_EQ(lists.size(), 1u);
  EXPECT_THAT(lists[0].values, ElementsAre(2));
}

TEST_F(TextFiles, SoItIsWithinAnObjectOfTitleAndText) {
  JsonLineReader reader(folder_.write(
      "in.json", R"({"p": [{"text": "a", "title": "t", "text": "b"}, {"title": "alone"}], "q": {"docid": 1}})"));
  ASSERT_TRUE(reader.next());
  EXPECT_THAT(reader.texts("p"),
              ElementsAre(JsonLineReader::TitledText{"t", "b"}, JsonLineReader::TitledText{"alone", ""}));
  EXPECT_THAT(user_error([&] { reader.texts("q"); }), HasSubstr("in.json:1: \"q\" is an object"));
}

TEST_F(TextFiles, OtherEncodingsAndPackingsAreNamed) {
  EXPECT_THAT(line_failure("\xff\xfet\0"s), AllOf(HasSubstr("in.txt"), HasSubstr("UTF-16")));
  EXPECT_THAT(line_failure("\xfe\xff\0t"s), HasSubstr("UTF-16"));
  EXPECT_THAT(line_failure("\xff\xfe\0\0t\0\0\0"s), HasSubstr("UTF-32"));
  EXPECT_THAT(line_failure("\x28\xb5\x2f\xfd...."s), HasSubstr("zstd"));
  EXPECT_THAT(line_failure("\xfd\x37zXZ\0...."s), HasSubstr("xz"));
  EXPECT_THAT(line_failure("BZh91AY&SY...."s), HasSubstr("bzip2"));
  EXPECT_THAT(line_failure("PK\x03\x04....."s), HasSubstr("zip"));
}

TEST_F(TextFiles, AMarkIsNoPartOfTheFirstLine) {
  LineReader lines(folder_.write("in.txt", "\xef\xbb\xbfone\n\xef\xbb\xbftwo"));
  std::string_view line;
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "one");
  EXPECT_EQ(lines.offset(), 3u);
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "\xef\xbb\xbftwo");  // there it is a character of the text
  EXPECT_FALSE(lines.next(line));
  LineReader nothing(folder_.write("empty.txt", "\xef\xbb\xbf"));
  EXPECT_FALSE(nothing.next(line));
}

TEST_F(TextFiles, APlainFileIsMappedAndTheOtherFormIsFound) {
  const auto plain = folder_.write("in.txt", "text");
  EXPECT_EQ(map_text(plain, folder_.path()).text(), "text");
  EXPECT_EQ(packed_or_plain(folder_ / "in.txt.gz"), plain);
  const auto packed = folder_.write("other.txt.gz", "");
  EXPECT_EQ(packed_or_plain(folder_ / "other.txt"), packed);
  EXPECT_EQ(packed_or_plain(folder_ / "none.txt"), folder_ / "none.txt");
  EXPECT_THAT(user_error([&] { map_text(folder_ / "none.txt", folder_.path()); }), HasSubstr("none.txt"));
}

}  // namespace
}  // namespace sgpt
