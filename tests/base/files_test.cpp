// Mapped files, and files that appear only when they are whole.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(AtomicFile, AppearsOnCommitAndNotBefore) {
  const testing::TempFolder folder;
  const auto target = folder / "result.txt";
  {
    AtomicFile file(target);
    file.write("half");
    EXPECT_FALSE(std::filesystem::exists(target));
    file.write(std::string(3 << 20, 'x'));
    file.commit();
  }
  EXPECT_EQ(content(target), "half" + std::string(3 << 20, 'x'));
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, LeavesTheOldFileAndNothingElseWhenDropped) {
  const testing::TempFolder folder;
  write_file(folder / "result.txt", "old");
  { AtomicFile(folder / "result.txt").write("new"); }
  EXPECT_EQ(content(folder / "result.txt"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, ReportsAFullDiskAndKeepsTheOldFile) {
  const testing::TempFolder folder;
  write_file(folder / "result.txt", "old");
  // A limit on the size of files stands in for a disk without room.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_file(folder / "result.txt", std::string(10000, 'x')), MachineError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(content(folder / "result.txt"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, NamesAMissingFolderAndRefusesAFolder) {
  const testing::TempFolder folder;
  EXPECT_THROW(AtomicFile(folder / "none" / "result.txt"), UserError);
  EXPECT_THROW(AtomicFile file(folder.path()), UserError);
}

TEST(MappedFile, MapsContentAndRefusesWhatIsNoFile) {
  const testing::TempFolder folder;
  write_file(folder / "a", "content");
  write_file(folder / "empty", "");
  MappedFile mapped(folder / "a");
  const MappedFile moved = std::move(mapped);
  EXPECT_EQ(moved.text(), "content");
  EXPECT_TRUE(MappedFile(folder / "empty").text().empty());
  EXPECT_THROW(MappedFile(folder / "missing"), UserError);
  EXPECT_THROW(MappedFile(folder.path()), UserError);
}

TEST(MappedFile, DroppedPagesAreReadAgain) {
  const testing::TempFolder folder;
  std::string text(50'000, 'a');
  for (std::size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>('b' + i % 20);
  write_file(folder / "a", text);
  const MappedFile mapped(folder / "a");
  for (const std::size_t first : {0, 1, 4095, 4096, 49'000}) {
    drop_pages(mapped.bytes().subspan(first));
    EXPECT_EQ(mapped.text(), text);
  }
  drop_pages({});
}

}  // namespace
}  // namespace sgpt
