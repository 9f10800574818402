// Files of texts to NumPy files: formats, errors, and runs that are killed and continued.
#include "encode/encode_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "backend/backend.h"
#include "encode/npy.h"
#include "model/convert.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string many_lines(int count) {
  std::ostringstream lines;
  for (int i = 0; i < count; ++i)
    lines << "the thing number " << i << std::string(static_cast<std::size_t>(i % 7), '.') << '\n';
  return lines.str();
}

class EncodeFile : public ::testing::Test {
 protected:
  EncodeFile() : model_(testing::write_tiny_model(folder_ / "model", {.hidden = 16, .layers = 1, .heads = 2})) {}

  Encoder load(EncoderOptions options = {.brackets = true}) const { return Encoder::load(model_, options); }
  std::filesystem::path output() const { return folder_ / "out.npy"; }
  std::string failure(const EncodeFileJob& job) const {
    try {
      encode_file(load(), job);
      return "";
    } catch (const UserError& error) {
      return error.what();
    }
  }
  /// What the file should be, made from embeddings in memory.
  std::string expected(const std::vector<std::string>& texts) const {
    const Embeddings e = load().encode_documents(texts);
    return npy_header(e.rows, e.dimension) +
           std::string(reinterpret_cast<const char*>(e.values.data()), e.values.size() * sizeof(float));
  }
  /// Runs a job until `rows` rows are safe, then fails.
  void stop_after(std::int64_t rows, EncodeFileJob job, const Encoder& encoder) const {
    std::filesystem::remove(job.output);
    job.on_rows = [rows](std::int64_t done) {
      if (done >= rows) throw std::runtime_error("stopped");
    };
    EXPECT_THROW(encode_file(encoder, job), std::runtime_error);
    EXPECT_FALSE(exists(job.output));
    EXPECT_TRUE(exists(folder_ / "out.npy.progress"));
  }
  /// The rows that a run found done when it began.
  std::int64_t rows_kept(EncodeFileJob job, const Encoder& encoder) const {
    std::int64_t first = -1;
    job.on_rows = [&](std::int64_t done) {
      if (first < 0) first = done;
    };
    encode_file(encoder, job);
    return first;
  }

  TempFolder folder_;
  std::filesystem::path model_;
};

TEST(NpyHeader, IsWhatNumPyWrites) {
  const std::string header = npy_header(3, 4);
  ASSERT_EQ(header.size(), 128u);
  EXPECT_EQ(header.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_THAT(header, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"));
  EXPECT_EQ(header.back(), '\n');
  EXPECT_EQ(npy_header(std::numeric_limits<std::int64_t>::max(), 1 << 20).size(), 128u);
}

TEST_F(EncodeFile, ReadsPlainLinesEmptyOnesToo) {
  const auto input = folder_.write("texts.txt", "the\n\r\n\nthing and");
  EXPECT_EQ(encode_file(load(), {.input = input, .output = output()}), 4);
  EXPECT_EQ(bytes_of(output()), expected({"the", "", "", "thing and"}));
  EXPECT_FALSE(exists(folder_ / "out.npy.partial"));
  EXPECT_FALSE(exists(folder_ / "out.npy.progress"));
}

TEST_F(EncodeFile, ReadsJsonLinesWithAndWithoutTitles) {
  const std::string lines = R"({"_id":"1","title":"Title","text":"the text "})"
                            "\n"
                            R"({"_id":2,"title":null,"text":"alone"})"
                            "\n\n"
                            R"({"text":"no title","title":""})";
  for (const char* name : {"texts.jsonl", "texts"}) {  // by the name, and by the first byte
    EXPECT_EQ(encode_file(load(), {.input = folder_.write(name, lines), .output = output()}), 3);
    EXPECT_EQ(bytes_of(output()), expected({"Title the text", "alone", "no title"}));
  }
}

TEST_F(EncodeFile, TheFormatCanBeSaid) {
  const auto input = folder_.write("texts.jsonl", "{\"text\": \"x\"}\n");
  encode_file(load(), {.input = input, .output = output(), .format = TextFormat::lines});
  EXPECT_EQ(bytes_of(output()), expected({"{\"text\": \"x\"}"}));
}

TEST_F(EncodeFile, AnEmptyFileGivesAnArrayWithoutRows) {
  EXPECT_EQ(encode_file(load(), {.input = folder_.write("texts.txt", ""), .output = output()}), 0);
  EXPECT_EQ(bytes_of(output()), npy_header(0, 16));
}

TEST_F(EncodeFile, NamesTheLineThatIsBroken) {
  const auto fails = [&](const char* name, const char* text) {
    return failure({.input = folder_.write(name, text), .output = output()});
  };
  EXPECT_THAT(fails("a.jsonl", "{\"text\":\"x\"}\n{\"text\":"), HasSubstr("a.jsonl:2"));
  EXPECT_THAT(fails("b.jsonl", "{\"text\":\"x\"}\n\n{\"title\":\"x\"}"), HasSubstr("b.jsonl:3"));
  EXPECT_THAT(fails("c.txt", "fine\nfine\nbad \xfe\n"), HasSubstr("c.txt:3"));
  EXPECT_FALSE(exists(output()));
  EXPECT_FALSE(exists(folder_ / "out.npy.partial"));
}

TEST_F(EncodeFile, SaysWhatIsWrongWithItsFiles) {
  const auto input = folder_.write("texts.txt", "x");
  EXPECT_THAT(failure({.input = folder_ / "none.txt", .output = output()}), HasSubstr("none.txt"));
  EXPECT_THAT(failure({.input = input, .output = folder_ / "no" / "out.npy"}), HasSubstr("no such folder"));
  EXPECT_THAT(failure({.input = input, .output = model_}), HasSubstr("folder"));
}

/// While it lives, no file of this process grows beyond so many bytes: what a full disk does.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(EncodeFile, AFullDiskIsTheMachinesFailureAndTheRunGoesOnLater) {
  const EncodeFileJob job{.input = folder_.write("texts.txt", many_lines(1000)), .output = output()};
  const Encoder encoder = load();
  {
    const FileLimit limit(30'000);  // 467 rows
    try {
      encode_file(encoder, job);
      FAIL() << "a full disk went unnoticed";
    } catch (const MachineError& error) {
      EXPECT_THAT(error.what(), HasSubstr("out.npy.partial"));
    }
  }
  EXPECT_FALSE(exists(output()));
  EXPECT_GT(rows_kept(job, encoder), 0);
  EXPECT_EQ(bytes_of(output()).size(), 128u + 1000u * 16u * sizeof(float));
}

TEST_F(EncodeFile, TwoProgramsDoNotWriteOneFile) {
  const NpyRows other(folder_ / "out.npy.partial", 16);
  EXPECT_THAT(failure({.input = folder_.write("texts.txt", "x"), .output = output()}), HasSubstr("another program"));
}

TEST_F(EncodeFile, AStoppedRunContinuesAndEndsWithTheSameFile) {
  const Encoder encoder = load();
  const EncodeFileJob job{.input = folder_.write("texts.txt", many_lines(1000)), .output = output()};
  encode_file(encoder, job);
  const std::string whole = bytes_of(output());
  std::filesystem::remove(output());

  stop_after(200, job, encoder);
  // Half a row that the journal knows nothing of, as a crash would leave it.
  std::ofstream(folder_ / "out.npy.partial", std::ios::binary | std::ios::app) << "garbage";
  EXPECT_GE(rows_kept(job, load({.brackets = true, .token_budget = 50, .threads = 1})), 200);
  EXPECT_EQ(bytes_of(output()), whole);
}

TEST_F(EncodeFile, StartsOverWhenSomethingChanged) {
  EncodeFileJob job{.input = folder_.write("texts.txt", many_lines(400)), .output = output()};
  const auto stop = [&] { stop_after(100, job, load()); };
  stop();
  EXPECT_GT(rows_kept(job, load()), 0);  // nothing did
  stop();
  EXPECT_EQ(rows_kept(job, load({.brackets = false})), 0);
  stop();
  job.kind = TextKind::query;
  EXPECT_EQ(rows_kept(job, load()), 0);
  stop();
  folder_.write("texts.txt", many_lines(401));
  EXPECT_EQ(rows_kept(job, load()), 0);
  stop();
  testing::write_tiny_weights(model_ / "model.safetensors", {.hidden = 16, .layers = 1, .heads = 2, .seed = 2});
  EXPECT_EQ(rows_kept(job, load()), 0);
  EXPECT_EQ(bytes_of(output()).size(), 128u + 401u * 16u * sizeof(float));
}

TEST_F(EncodeFile, StartsOverWhenTheJournalLies) {
  const EncodeFileJob job{.input = folder_.write("texts.txt", many_lines(400)), .output = output()};
  for (const bool broken_journal : {true, false}) {
    stop_after(100, job, load());
    if (broken_journal) folder_.write("out.npy.progress", "{\"rows\":");
    if (!broken_journal) std::filesystem::resize_file(folder_ / "out.npy.partial", 1000);
    EXPECT_EQ(rows_kept(job, load()), 0);
    EXPECT_EQ(bytes_of(output()).size(), 128u + 400u * 16u * sizeof(float));
  }
}

// The child process runs this test again from its beginning, so the folder comes to it through the environment.
TEST(EncodeFileDeathTest, AKilledRunContinuesAndEndsWithTheSameFile) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TempFolder own;
  setenv("SGPT_TEST_FOLDER", own.path().c_str(), 0);
  const std::filesystem::path folder = std::getenv("SGPT_TEST_FOLDER");
  if (folder == own.path()) {
    testing::write_tiny_model(folder / "model");
    own.write("texts.txt", many_lines(1000));
  }
  const EncodeFileJob whole{.input = folder / "texts.txt", .output = folder / "whole.npy"};
  EncodeFileJob killed{.input = folder / "texts.txt", .output = folder / "killed.npy"};
  const auto run = [&](const EncodeFileJob& job) {
    return encode_file(Encoder::load(folder / "model", {.brackets = true}), job);
  };
  killed.on_rows = [](std::int64_t rows) {
    if (rows >= 300) std::raise(SIGKILL);
  };
  EXPECT_EXIT(run(killed), ::testing::KilledBySignal(SIGKILL), ::testing::A<const std::string&>());
  EXPECT_FALSE(exists(killed.output));
  std::int64_t first = -1;
  killed.on_rows = [&](std::int64_t rows) {
    if (first < 0) first = rows;
  };
  EXPECT_EQ(run(killed), 1000);
  EXPECT_GE(first, 300);
  run(whole);
  EXPECT_EQ(bytes_of(killed.output), bytes_of(whole.output));
  unsetenv("SGPT_TEST_FOLDER");
}

TEST_F(EncodeFile, AnUnfinishedRunTellsItsType) {
  const EncodeFileJob job{.input = folder_.write("texts.txt", many_lines(400)), .output = output()};
  stop_after(128, job, load({.compute = ComputeType::int8}));
  EXPECT_EQ(recorded_compute_type(load({.compute = ComputeType::int8}), job), ComputeType::int8);
  EXPECT_EQ(recorded_compute_type(load({}), job), std::nullopt);  // automatic never stands for it here

  model_ = folder_ / "halves";
  convert_model(folder_ / "model", model_, {.type = WeightType::bf16});
  if (!make_backend("cpu")->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  const Encoder floats = load({.compute = ComputeType::f32});
  const Encoder halves = load({.compute = ComputeType::bf16});
  EXPECT_EQ(recorded_compute_type(floats, job), std::nullopt);
  stop_after(128, job, halves);
  EXPECT_EQ(recorded_compute_type(floats, job), ComputeType::bf16);
  EXPECT_EQ(recorded_compute_type(halves, job), ComputeType::bf16);
  EXPECT_EQ(recorded_compute_type(load({.normalize = true, .compute = ComputeType::f32}), job), std::nullopt);
  EXPECT_GE(rows_kept(job, load({.compute = recorded_compute_type(floats, job)})), 128);
  EXPECT_EQ(recorded_compute_type(floats, job), std::nullopt);
}

}  // namespace
}  // namespace sgpt
