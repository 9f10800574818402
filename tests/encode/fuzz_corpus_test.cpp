// The fuzzers' seeds as ordinary tests: whole files, and what once broke a reader.
#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <string>

#include "base/mapped_file.h"
#include "fixtures.h"
#include "fuzz/readers.h"

namespace sgpt {
namespace {

/// Runs the reader over every seed of a folder of tests/fuzz/corpus.
void run_corpus(const char* kind, void (*read)(std::span<const std::byte>)) {
  const auto folder = testing::repository() / "tests" / "fuzz" / "corpus" / kind;
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    const MappedFile file(entry.path());
    EXPECT_NO_THROW(read(file.bytes()));
    ++seeds;
  }
  EXPECT_GT(seeds, 0);
}

TEST(FuzzCorpus, Safetensors) { run_corpus("safetensors", fuzz::safetensors); }
TEST(FuzzCorpus, TorchArchive) { run_corpus("torch_archive", fuzz::torch_archive); }
TEST(FuzzCorpus, Pickle) { run_corpus("pickle", fuzz::pickle); }
TEST(FuzzCorpus, Tokenizer) { run_corpus("tokenizer", fuzz::tokenizer); }
TEST(FuzzCorpus, JsonLines) { run_corpus("json_lines", fuzz::json_lines); }

}  // namespace
}  // namespace sgpt
