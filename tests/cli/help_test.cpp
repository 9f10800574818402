// Help, names of options and exit statuses, for every command that the program has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "cli/program.h"

namespace sgpt::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// The commands that `sgpt --help` names.
std::vector<std::string> commands() {
  std::istringstream help(sgpt({"--help"}).out);
  std::vector<std::string> names;
  bool listing = false;
  for (std::string line; std::getline(help, line);) {
    if (line.find("ubcommands:") != std::string::npos) {
      listing = true;
    } else if (listing && line.starts_with("  ") && line[2] != ' ') {
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

TEST(Help, NamesEveryCommand) {
  EXPECT_THAT(commands(), ::testing::IsSupersetOf({"encode", "search", "eval", "score", "train", "init", "tokenizer",
                                                   "tokenize", "info", "bench"}));
}

TEST(Help, OfEveryCommandSaysWhatItDoesOnStdout) {
  for (const std::string& command : commands()) {
    const Outcome outcome = sgpt({command, "--help"});
    EXPECT_EQ(outcome.status, 0) << command;
    EXPECT_THAT(outcome.err, IsEmpty()) << command;
    EXPECT_THAT(outcome.out, HasSubstr("--help")) << command;
    EXPECT_GT(outcome.out.find('\n'), 10U) << command << " does not say what it is for";
  }
}

TEST(Help, ExplainsEveryOption) {
  for (const std::string& command : commands()) {
    std::istringstream help(sgpt({command, "--help"}).out);
    std::string line;
    while (std::getline(help, line)) {
      if (line.find("  -") != 0) continue;
      // The explanation stands beside the option, or on the next line where the option's names are long.
      std::string explanation = line.size() > 30 ? line.substr(30) : "";
      if (explanation.find_first_not_of(' ') == std::string::npos) std::getline(help, explanation);
      EXPECT_NE(explanation.find_first_not_of(' '), std::string::npos) << command << ": " << line;
    }
  }
}

TEST(Program, SaysItsVersion) {
  const Outcome outcome = sgpt({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(std::regex_match(outcome.out, std::regex("[0-9]+\\.[0-9]+\\.[0-9]+\n"))) << outcome.out;
}

TEST(Program, WithoutACommandIsTheUsersMistake) {
  const Outcome outcome = sgpt({});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, AllOf(StartsWith("sgpt: "), EndsWith("\n")));
}

TEST(Program, RefusesAnUnknownOptionInEveryCommand) {
  for (const std::string& command : commands()) {
    const Outcome outcome = sgpt({command, "--no_such_option"});
    EXPECT_EQ(outcome.status, 2) << command;
    EXPECT_THAT(outcome.err, StartsWith("sgpt: ")) << command;
    EXPECT_THAT(outcome.out, IsEmpty()) << command;
  }
}

TEST(Program, RefusesAnUnknownCommand) { EXPECT_EQ(sgpt({"teleport"}).status, 2); }

TEST(Options, AnswerToUnderscoresAndToDashes) {
  for (const char* option : {"--max_seq_length", "--max-seq-length"}) {
    const Outcome outcome = sgpt({"encode", "--model", "/nonexistent-model", "--input", "/nonexistent", "--output",
                                  "/nonexistent.npy", "--query", option, "20"});
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, HasSubstr("/nonexistent")) << "the option itself was not understood";
    EXPECT_THAT(outcome.err, Not(HasSubstr(option)));
  }
}

}  // namespace
}  // namespace sgpt::testing
