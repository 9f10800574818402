// The cache of embeddings: what is reused, what is refused, and that a killed run is taken up again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "retrieval/corpus_cache.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

constexpr std::int64_t kDimension = 3;  // odd, so that chunks need padding

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Rows first … first + count − 1, of which every number is known.
void append(CorpusCacheWriter& writer, std::size_t first, std::size_t count) {
  std::vector<std::uint64_t> offsets;
  std::vector<float> embeddings;
  for (std::size_t row = first; row < first + count; ++row) {
    offsets.push_back(row * 100);
    for (std::size_t i = 0; i < kDimension; ++i) embeddings.push_back(static_cast<float>(row * 10 + i));
  }
  writer.append(offsets, embeddings);
}

class Cache : public ::testing::Test {
 protected:
  void make(std::string_view key = "key") {
    CorpusCacheWriter writer(file_, key, kDimension);
    append(writer, 0, 5);
    append(writer, 5, 2);
    writer.finish();
  }
  std::string reason(std::string_view key = "key", std::int64_t dimension = kDimension) {
    std::string why;
    EXPECT_FALSE(CorpusCache::open(file_, key, dimension, why).has_value());
    return why;
  }

  TempFolder folder_;
  std::filesystem::path file_ = folder_ / "c.sgpt-cache";
};

TEST_F(Cache, GivesBackWhatWasWritten) {
  make();
  std::string why;
  const auto cache = CorpusCache::open(file_, "key", kDimension, why);
  ASSERT_TRUE(cache.has_value());
  EXPECT_EQ(cache->rows(), 7);
  ASSERT_EQ(cache->chunks().size(), 2u);
  EXPECT_EQ(cache->chunks()[1].embeddings[0], 50.0f);
  EXPECT_EQ(cache->chunks()[1].embeddings.size(), 6u);
  for (std::int64_t row = 0; row < 7; ++row) EXPECT_EQ(cache->offset(row), static_cast<std::uint64_t>(row * 100));
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".partial"));
}

TEST_F(Cache, BelongsToOneKeyAndDimension) {
  EXPECT_EQ(reason(), "");  // there is none
  make();
  EXPECT_THAT(reason("other key"), HasSubstr("another model"));
  EXPECT_THAT(reason("key", 4), HasSubstr("another model"));
}

TEST_F(Cache, EveryBrokenByteIsNoticed) {
  make();
  const std::string whole = content_of(file_);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string broken = whole;
    broken[i] = static_cast<char>(broken[i] ^ 0x10);
    folder_.write("c.sgpt-cache", broken);
    EXPECT_NE(reason(), "") << "byte " << i;
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder_.write("c.sgpt-cache", whole.substr(0, size));
    EXPECT_NE(reason(), "") << size << " bytes";
  }
  folder_.write("c.sgpt-cache", whole + "x");
  EXPECT_NE(reason(), "");
}

TEST_F(Cache, RowCountsThatLieAreNotBelieved) {
  make();
  std::string broken = content_of(file_);
  for (const std::uint64_t rows : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 60}) {
    broken.replace(40, 8, reinterpret_cast<const char*>(&rows), 8);
    folder_.write("c.sgpt-cache", broken);
    EXPECT_THAT(reason(), HasSubstr("broken after byte 40"));
  }
}

TEST_F(Cache, AnotherFileIsNotWrittenOver) {
  const auto other = folder_.write("thesis.txt", "a year of work");
  std::string why;
  EXPECT_THROW(CorpusCache::open(other, "key", kDimension, why), UserError);
}

TEST_F(Cache, AKilledRunIsTakenUpAgain) {
  make();
  const std::string whole = content_of(file_);
  std::filesystem::remove(file_);
  {
    CorpusCacheWriter writer(file_, "key", kDimension);
    append(writer, 0, 5);
  }  // dies here
  EXPECT_FALSE(std::filesystem::exists(file_));
  std::ofstream(file_.string() + ".partial", std::ios::app | std::ios::binary) << "half a chunk of anything";
  CorpusCacheWriter writer(file_, "key", kDimension);
  EXPECT_EQ(writer.rows(), 5);
  append(writer, 5, 2);
  writer.finish();
  EXPECT_EQ(content_of(file_), whole);
}

TEST_F(Cache, ARunForAnotherKeyIsNotTakenUp) {
  { append(*std::make_unique<CorpusCacheWriter>(file_, "key", kDimension), 0, 5); }
  const CorpusCacheWriter writer(file_, "other key", kDimension);
  EXPECT_EQ(writer.rows(), 0);
}

TEST_F(Cache, TwoWritersAtOnceAreRefused) {
  const CorpusCacheWriter first(file_, "key", kDimension);
  EXPECT_THROW(CorpusCacheWriter(file_, "key", kDimension), UserError);
}

TEST_F(Cache, AFolderThatIsMissingIsNamed) {
  EXPECT_THROW(CorpusCacheWriter(folder_ / "absent/c", "key", kDimension), UserError);
}

}  // namespace
}  // namespace sgpt
