// Where results go: into files, streams and links, never over what is read; and what is left when a command is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "cli/program.h"
#include "cli/small_corpus.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A command line that writes, but for the name of its output.
struct Writer {
  std::string name;
  Words command;
};

class Outputs : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(home_ / "model");
    write_small_corpus(home_ / "data", 12);
    home_.write("lines.txt", "one text\nanother\n");
    home_.write("lines.jsonl", "{\"text\": \"one text\"}\n");
    home_.write("run.trec", "q1 Q0 d1 1 0.5 x\n");
  }

  std::string at(const std::string& name) const { return (home_ / name).string(); }

  /// All commands with a file for an output, its name to be added.
  std::vector<Writer> writers() const {
    return {
        {"encode", {"encode", "--model", at("model"), "--input", at("lines.txt"), "--query", "--output"}},
        {"tokenize", {"tokenize", "--model", at("model"), "--input", at("lines.jsonl"), "--output"}},
        {"tokenizer", {"tokenizer", "train", "--input", at("lines.txt"), "--vocab_size", "270", "--output"}},
        {"score", {"score", "--qrels", at("data/qrels/test.tsv"), "--run", at("run.trec"), "--output"}},
        {"eval", {"eval", "--model", at("model"), "--data_path", at("data"), "--output"}},
        {"eval run", {"eval", "--model", at("model"), "--data_path", at("data"), "--output", at("r"), "--run_file"}}};
  }

  Outcome write_to(const Writer& writer, const std::string& output) const {
    Words words = writer.command;
    words.push_back(output);
    return sgpt(words);
  }

  /// Every file below the folder with what is in it.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(home_.path())) {
      if (entry.is_regular_file()) all[entry.path().string()] = text_of(entry.path());
    }
    return all;
  }

  TempFolder home_;
};

TEST_F(Outputs, GoIntoStreamsAndThroughLinks) {
  for (const Writer& writer : writers()) {
    SCOPED_TRACE(writer.name);
    fs::remove(home_ / "plain");
    ASSERT_EQ(write_to(writer, at("plain")).status, 0);
    const std::string expected = text_of(home_ / "plain");
    ASSERT_FALSE(expected.empty());

    const Outcome dash = write_to(writer, "-");
    EXPECT_EQ(dash.status, 0) << dash.err;
    EXPECT_EQ(dash.out, expected);
    EXPECT_EQ(write_to(writer, "/dev/stdout").out, expected);

    fs::remove(home_ / "fifo");
    ASSERT_EQ(::mkfifo((home_ / "fifo").c_str(), 0600), 0);
    std::string got;
    std::thread reader([&] { got = text_of(home_ / "fifo"); });
    EXPECT_EQ(write_to(writer, at("fifo")).status, 0);
    reader.join();
    EXPECT_EQ(got, expected);
    EXPECT_TRUE(fs::is_fifo(home_ / "fifo"));

    const Outcome full = write_to(writer, "/dev/full");
    EXPECT_EQ(full.status, 1);
    EXPECT_THAT(full.err, HasSubstr("/dev/full: writing failed"));
    EXPECT_TRUE(fs::is_character_file("/dev/full"));

    for (const char* name : {"link", "target"}) fs::remove(home_ / name);
    fs::create_symlink("target", home_ / "link");  // dangling at first, then not
    for (int round = 0; round < 2; ++round) {
      if (round == 1 && writer.name == "eval") fs::resize_file(home_ / "target", 0);  // or results would be merged
      EXPECT_EQ(write_to(writer, at("link")).status, 0);
      EXPECT_TRUE(fs::is_symlink(home_ / "link"));
      EXPECT_EQ(text_of(home_ / "target"), expected);
    }
  }
}

TEST_F(Outputs, ThatCannotBeAreToldBeforeTheWork) {
  fs::create_directory(home_ / "folder");
  fs::create_symlink("loop", home_ / "loop");
  for (const Writer& writer : writers()) {
    SCOPED_TRACE(writer.name);
    const std::string long_name(300, 'n');
    for (const std::string& output : {at("none/out"), at("folder"), at("lines.txt/out"), at("loop"), at(long_name)}) {
      const Outcome outcome = write_to(writer, output);
      EXPECT_EQ(outcome.status, 2) << output << outcome.err;
      EXPECT_THAT(outcome.err, StartsWith("sgpt: "));
      EXPECT_THAT(outcome.err, ::testing::Not(HasSubstr("filesystem error")));
    }
  }
}

TEST_F(Outputs, AreNeverWhatIsRead) {
  fs::create_hard_link(home_ / "lines.txt", home_ / "twin.txt");
  fs::create_symlink("lines.txt", home_ / "link.txt");
  home_.write("out.npy.partial", "a text\n");
  home_.write("c.jsonl", text_of(home_ / "data/corpus.jsonl"));
  const std::string model = at("model");
  const auto encode = [&](const std::string& input, const std::string& output) {
    return Words{"encode", "--model", model, "--query", "--input", at(input), "--output", output};
  };
  const std::vector<Words> commands{
      encode("lines.txt", at("lines.txt")),
      encode("lines.txt", at("data/../lines.txt")),
      encode("lines.txt", at("twin.txt")),
      encode("lines.txt", at("link.txt")),
      encode("link.txt", at("lines.txt")),
      encode("out.npy.partial", at("out.npy")),
      encode("lines.txt", at("model/model.safetensors")),
      encode("lines.txt", at("model/1_Pooling/config.json")),
      {"search", "--model", model, "--corpus", at("c.jsonl"), "--cache", at("c.jsonl"), "red"},
      {"tokenize", "--model", model, "--input", at("lines.jsonl"), "--output", at("lines.jsonl")},
      {"tokenize", "--model", model, "--input", at("lines.jsonl"), "--output", at("model/tokenizer.json")},
      {"tokenizer", "train", "--input", at("lines.txt"), "--vocab_size", "270", "--output", at("twin.txt")},
      {"score", "--qrels", at("data/qrels/test.tsv"), "--run", at("run.trec"), "--output", at("run.trec")},
      {"score", "--qrels", at("data/qrels/test.tsv"), "--run", at("run.trec"), "--output", at("data/qrels/test.tsv")},
      {"eval", "--model", model, "--data_path", at("data"), "--output", at("data/queries.jsonl")},
      {"eval", "--model", model, "--data_path", at("data"), "--run_file", at("data/qrels/test.tsv")},
      {"eval", "--model", model, "--data_path", at("data"), "--output", at("model/config.json")},
      {"eval", "--model", model, "--data_path", at("data"), "--output", at("same"), "--run_file", at("same")},
      {"eval", "--model", model, "--data_path", at("data"), "--run_file", "-"},
      {"eval", "--model", model, "--data_path", at("data"), "--output", "/dev/stdout", "--run_file", "-"},
      {"convert", model, at("model/inside")},
      {"convert", model, model},
      {"convert", model, "-"},
      {"init", "--tokenizer", at("model/tokenizer.json"), "--output", "-", "--hidden", "8", "--layers", "1", "--heads",
       "1"},
      {"train", "--model_name", model, "--train_data", at("data"), "--model_save_path", model},
      {"train", "--model_name", model, "--train_data", at("data"), "--model_save_path", at("model/inside")},
      {"train", "--model_name", model, "--train_data", at("data"), "--model_save_path", at("o"), "--log_file",
       at("data/corpus.jsonl")},
      {"train", "--model_name", model, "--train_data", at("data"), "--model_save_path", at("o"), "--log_dir", at("o")},
  };
  const auto before = contents();
  for (const Words& words : commands) {
    const Outcome outcome = sgpt(words);
    EXPECT_EQ(outcome.status, 2) << words.front() << " … " << words.back() << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(contents(), before) << words.front() << " … " << words.back();
  }
}

/// A corpus that takes a tiny model some seconds.
void write_long_corpus(const fs::path& folder) {
  write_small_corpus(folder);
  std::ofstream corpus(folder / "corpus.jsonl", std::ios::app);
  std::string text;
  for (int i = 0; i < 60; ++i) text += "word" + std::to_string(i) + " ";
  for (int i = 0; i < 40000; ++i) corpus << R"({"_id": "x)" << i << R"(", "text": ")" << text << i << "\"}\n";
}

Words names_in(const fs::path& folder) {
  Words names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

TEST_F(Outputs, OfACommandThatASignalEndsAreGone) {
  write_long_corpus(home_ / "long");
  fs::create_directory(home_ / "made");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGTERM}) {
    const Words left = names_in(home_ / "made");  // by kill -9
    RunningCommand run(sgpt_command({"eval", "--model", at("model"), "--data_path", at("long"), "--output",
                                     at("made/results.json"), "--run_file", at("made/run.trec"), "--threads", "1"}));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    Words now = left;
    while ((now.empty() || now == left) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      now = names_in(home_ / "made");
    }
    run.send(signal);
    EXPECT_EQ(run.wait().status, 128 + signal);
    // What kill -9 leaves, the next run for the same target removes.
    EXPECT_EQ(names_in(home_ / "made").size(), signal == SIGKILL ? 1u : 0u);
  }
}

TEST_F(Outputs, AModelThatIsCutWhileItIsUsedIsNamed) {
  ASSERT_EQ(::mkfifo((home_ / "questions").c_str(), 0600), 0);
  RunningCommand run({"sh", "-c",
                      sgpt_command({}).front() + " search --model " + at("model") + " --corpus " +
                          at("data/corpus.jsonl") + " <" + at("questions") + " >" + at("answers")});
  std::ofstream questions(home_ / "questions");
  questions << "red lamp" << std::endl;
  for (int i = 0; i < 3000 && text_of(home_ / "answers").empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_FALSE(text_of(home_ / "answers").empty());
  fs::resize_file(home_ / "model/model.safetensors", 0);
  questions << "green river" << std::endl;
  questions.close();
  const Outcome outcome = run.wait();
  if (outcome.status == 0) GTEST_SKIP() << "the weights were in memory";
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("model.safetensors: reading failed: the file became shorter"));
}

}  // namespace
}  // namespace sgpt::testing
