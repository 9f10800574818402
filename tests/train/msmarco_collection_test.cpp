// collection.tsv: passages by number, the index beside it, and what is said of broken lines.
#include "train/msmarco/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/threads.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;

class MsMarcoCollection : public ::testing::Test {
 protected:
  Collection open(std::string_view lines) const { return Collection(folder_.write("collection.tsv", lines)); }
  std::string message(std::string_view lines) const {
    try {
      open(lines);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }
  static std::string passage(const Collection& collection, std::int64_t pid) {
    const auto row = collection.row(pid);
    return row ? collection.text(*row) : "none";
  }
  std::filesystem::path index() const { return folder_ / "collection.tsv.sgpt-index"; }

  testing::TempFolder folder_;
};

TEST_F(MsMarcoCollection, NumbersInOrder) {
  const Collection collection = open("0\tfirst\ttab\n1\t\n2\tlast");
  EXPECT_EQ(collection.size(), 3);
  EXPECT_EQ(passage(collection, 0), "first\ttab");
  EXPECT_EQ(passage(collection, 1), "");
  EXPECT_EQ(passage(collection, 2), "last");
  EXPECT_EQ(passage(collection, 3), "none");
  EXPECT_EQ(passage(collection, -1), "none");
}

TEST_F(MsMarcoCollection, NumbersInAnyOrder) {
  const Collection collection = open("2\tc\n0\ta\n1\tb\n");
  EXPECT_EQ(passage(collection, 0) + passage(collection, 1) + passage(collection, 2), "abc");
}

TEST_F(MsMarcoCollection, NumbersWithGaps) {
  const Collection collection = open("4000000000\tfar\n5\tfive\n7\tseven\n");
  EXPECT_EQ(collection.size(), 3);
  EXPECT_EQ(passage(collection, 4000000000), "far");
  EXPECT_EQ(passage(collection, 5), "five");
  EXPECT_EQ(passage(collection, 6), "none");
  EXPECT_EQ(passage(collection, 7), "seven");
  EXPECT_EQ(collection.pid(*collection.row(7)), 7);
}

TEST_F(MsMarcoCollection, ManyPassagesOnSeveralThreads) {
  std::mt19937 random(1);
  std::string lines;
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) {
    texts.emplace_back(random() % 200, static_cast<char>('a' + random() % 26));
    lines += std::to_string(i) + "\t" + texts.back() + "\n";
  }
  for (const int threads : {1, 2, 7}) {
    std::filesystem::remove(index());
    const ThreadScope scope(threads);
    const Collection collection = open(lines);
    ASSERT_EQ(collection.size(), 5000);
    for (std::uint32_t i = 0; i < 5000; ++i) ASSERT_EQ(collection.text(i), texts[i]) << i;
    EXPECT_THAT(message(lines + "no tab"), HasSubstr("collection.tsv:5001: expected a number, a tab and a text"));
    EXPECT_THAT(message(lines + "17\tagain\n"),
                HasSubstr("collection.tsv:5001: passage 17 was there before, on line 18"));
  }
}

TEST_F(MsMarcoCollection, BrokenLines) {
  EXPECT_THAT(message("0\ta\nb\n"), HasSubstr("collection.tsv:2: expected a number, a tab and a text, found no tab"));
  EXPECT_THAT(message("0\ta\n\n"), HasSubstr("collection.tsv:2: "));
  EXPECT_THAT(message("0\ta\nx1\tb\n"), HasSubstr("collection.tsv:2: expected a passage's number"));
  EXPECT_THAT(message("0\ta\n1 \tb\n"), HasSubstr("found \"1 \""));
  EXPECT_THAT(message("-1\ta\n"), HasSubstr("collection.tsv:1: "));
  EXPECT_THAT(message("4294967295\ta\n"), HasSubstr("collection.tsv:1: "));
  EXPECT_THAT(message("99999999999999999999\ta\n"), HasSubstr("collection.tsv:1: "));
  EXPECT_THAT(message("0\ta\n1\tb\n0\tc\n"), HasSubstr("collection.tsv:3: passage 0 was there before, on line 1"));
  EXPECT_THAT(message(""), HasSubstr("is empty"));
  EXPECT_FALSE(std::filesystem::exists(index()));
}

TEST_F(MsMarcoCollection, InvalidUtf8NamesThePassage) {
  const Collection collection = open("0\tgood\n1\tb\xff\n");
  EXPECT_EQ(passage(collection, 0), "good");
  EXPECT_THROW(
      try { passage(collection, 1); } catch (const UserError& error) {
        EXPECT_THAT(error.what(), HasSubstr("collection.tsv: passage 1: invalid UTF-8 at byte 1"));
        throw;
      },
      UserError);
}

TEST_F(MsMarcoCollection, IndexIsUsedAgain) {
  open("0\ta\n1\tb\n");
  const auto written = std::filesystem::last_write_time(index());
  const Collection again(folder_ / "collection.tsv");
  EXPECT_EQ(passage(again, 1), "b");
  EXPECT_EQ(std::filesystem::last_write_time(index()), written);
}

TEST_F(MsMarcoCollection, IndexIsMadeAnewWhenTheSourceChanges) {
  open("0\ta\n1\tb\n");
  EXPECT_EQ(passage(open("0\ta\n1\tb\n2\tc\n"), 2), "c");  // another size

  const std::string moved = "0\ta\n2\tb\n1\tc\n";  // the same size, another time
  folder_.write("collection.tsv", moved);
  std::filesystem::last_write_time(folder_ / "collection.tsv",
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(passage(Collection(folder_ / "collection.tsv"), 2), "b");
}

TEST_F(MsMarcoCollection, BrokenIndexIsMadeAnew) {
  const std::string lines = "10\tten\n1\tone\n";
  open(lines);
  std::string good;
  {
    std::ifstream file(index(), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (const std::string& broken :
       {std::string(), good.substr(0, 20), good.substr(0, good.size() - 1), good + "x", "X" + good.substr(1),
        good.substr(0, 24) + std::string(8, '\xff') + good.substr(32)}) {
    folder_.write("collection.tsv.sgpt-index", broken);
    EXPECT_EQ(passage(Collection(folder_ / "collection.tsv"), 10), "ten");
  }
}

TEST_F(MsMarcoCollection, IndexWithWrongOffsetsIsRefused) {
  open("0\tten\n1\tone\n");
  std::fstream file(index(), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(40);
  const std::uint64_t far = std::uint64_t{1} << 60;
  file.write(reinterpret_cast<const char*>(&far), sizeof(far));
  file.close();
  const Collection collection(folder_ / "collection.tsv");
  EXPECT_THROW(collection.text(0), UserError);
  EXPECT_EQ(collection.text(1), "one");
}

}  // namespace
}  // namespace sgpt
