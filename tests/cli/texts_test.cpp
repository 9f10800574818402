// The same texts through files, stdin and the name of a model on the hub, as a user hands them over; and what is said
// of texts that were cut. (tests/train/one_text_test.cpp has the table of all forms that a file may have.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "cli/program.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Texts : public ::testing::Test {
 protected:
  Texts() { write_tiny_model(model_); }

  std::string bytes_of(const char* name) const {
    std::ifstream in(home_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Outcome encode(const std::string& input, const char* output, const std::string& stdin_text = {}) const {
    return sgpt({"encode", "--model", model_.string(), "--specb", "--document", "--input", input, "--output",
                 (home_ / output).string()},
                stdin_text);
  }
  Outcome search(const std::string& corpus, const std::vector<std::string>& more, const std::string& input = {}) const {
    std::vector<std::string> words{"search", "--model", model_.string(), "--specb", "--json", "--corpus", corpus};
    words.insert(words.end(), more.begin(), more.end());
    return sgpt(words, input);
  }

  TempFolder home_;
  fs::path model_ = home_ / "model";
  std::string lines_ =
      "{\"_id\": \"a\", \"title\": \"the\", \"text\": \"thing\\nand\"}\n"
      "{\"_id\": \"b\", \"title\": \"only a title\"}\n"
      "{\"_id\": \"c\", \"text\": \"" +
      std::string(200, 'x') + "\"}\n";
};

TEST_F(Texts, StdinAndAModelOfTheHubGiveTheSameBytes) {
  const fs::path file = home_.write("c.jsonl", lines_);
  const Outcome plain = encode(file.string(), "plain.npy");
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_THAT(plain.err, HasSubstr("1 of 3 texts were cut at 64 tokens, the first " + file.string() + ":3\n"));
  const Outcome piped = encode("-", "piped.npy", "\n" + lines_);
  ASSERT_EQ(piped.status, 0) << piped.err;
  EXPECT_EQ(bytes_of("piped.npy"), bytes_of("plain.npy"));
  EXPECT_THAT(piped.err, AllOf(HasSubstr("the first <stdin>:4\n"), Not(HasSubstr("%"))));

  const std::string commit(40, '1');
  const fs::path cached = home_ / "hub/models--acme--tiny";
  fs::create_directories(cached / "refs");
  fs::create_directories(cached / "snapshots");
  std::ofstream(cached / "refs/main") << commit;
  fs::copy(model_, cached / "snapshots" / commit, fs::copy_options::recursive);
  ::setenv("HF_HUB_CACHE", (home_ / "hub").c_str(), 1);
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  model_ = "acme/tiny";
  const Outcome named = encode(file.string(), "named.npy");
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("HF_HUB_OFFLINE");
  ASSERT_EQ(named.status, 0) << named.err;
  EXPECT_EQ(bytes_of("named.npy"), bytes_of("plain.npy"));
}

TEST_F(Texts, SearchReadsQueriesAlikeFromFilesAndStdin) {
  const std::string corpus = home_.write("c.jsonl", lines_).string();
  const std::string queries = "[{\"text\": \"thing\"},\n{\"text\": \"only\\na title\"}]";
  const Outcome asked = search(corpus, {"thing", "only\na title"});
  ASSERT_EQ(asked.status, 0) << asked.err;
  EXPECT_THAT(asked.out, HasSubstr("\"id\": \"b\""));
  EXPECT_EQ(search(corpus, {}, queries).out, asked.out);
  EXPECT_EQ(search(corpus, {"--queries", home_.write("q.json", queries).string()}).out, asked.out);
  EXPECT_EQ(search(corpus, {"--queries", "-"}, queries).out, asked.out);
  // A corpus from stdin needs a place for its embeddings, and queries from elsewhere.
  const std::string cache = (home_ / "cache").string();
  EXPECT_EQ(search("-", {"--cache", cache, "thing", "only\na title"}, lines_).out, asked.out);
  EXPECT_THAT(search("-", {"--cache", cache}, lines_).err, HasSubstr("cannot both come from stdin"));
}

TEST_F(Texts, BlankLinesAmongQueriesAreSkippedAndBrokenOnesNamed) {
  const std::string corpus = home_.write("c.jsonl", lines_).string();
  const Outcome gap = search(corpus, {"--queries", home_.write("gap.txt", "thing\n\n \r\nand\n").string()});
  ASSERT_EQ(gap.status, 0) << gap.err;
  EXPECT_EQ(gap.out, search(corpus, {"thing", "and"}).out);
  const Outcome broken = search(corpus, {"--queries", home_.write("bad.txt", "thing\n\nan\xff\n").string()});
  EXPECT_EQ(broken.status, 2);
  EXPECT_THAT(broken.err, HasSubstr("bad.txt:3: "));
}

TEST_F(Texts, WhatIsTakenForJsonByItsFirstCharacterSaysSo) {
  const Outcome outcome = encode(home_.write("t.txt", "{heat}\n").string(), "t.npy");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("t.txt:1: "), HasSubstr("--format lines")));
  EXPECT_EQ(encode(home_.write("n.txt", "[heat]\n[1] the thing\n").string(), "n.npy").status, 0);
}

}  // namespace
}  // namespace sgpt::testing
