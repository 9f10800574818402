// Failures of the file system as sentences, and open files.
#include "base/filesystem.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(Files, WhatTheUserCanMendIsAUserErrorAndTheRestTheMachines) {
  for (const int reason : {EACCES, ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG, ELOOP, EROFS}) {
    EXPECT_THROW(files::fail("x", "cannot be read", reason), UserError) << reason;
  }
  EXPECT_THROW(files::fail("x", "writing failed", EIO), MachineError);
  EXPECT_THROW(files::fail("x", "writing failed", ENOSPC), DiskFull);
}

TEST(Files, QuestionsSayNoOrOneSentence) {
  const testing::TempFolder folder;
  folder.write("file", "text");
  EXPECT_TRUE(files::is_regular(folder / "file"));
  EXPECT_FALSE(files::is_folder(folder / "file"));
  EXPECT_FALSE(files::exists(folder / "none"));
  EXPECT_FALSE(files::exists(folder / "file/below"));
  EXPECT_EQ(files::size(folder / "file"), 4u);
  EXPECT_THROW(files::exists(folder / std::string(300, 'n')), UserError);
  fs::create_symlink("loop", folder / "loop");
  EXPECT_THROW(files::exists(folder / "loop"), UserError);
  EXPECT_THROW(files::resolved(folder / "loop"), UserError);
  EXPECT_THROW(files::entries(folder / "file"), UserError);
  EXPECT_THROW(files::make_folders(folder / "file"), UserError);
  EXPECT_THROW(files::make_folders(folder / "file/below"), UserError);
  EXPECT_EQ(files::entries(folder.path()), (std::vector<fs::path>{folder / "file", folder / "loop"}));
}

TEST(Files, LinksLeadToOneThing) {
  const testing::TempFolder folder;
  folder.write("file", "text");
  fs::create_symlink("file", folder / "link");
  fs::create_symlink("link", folder / "second");
  fs::create_symlink("missing", folder / "dangling");
  fs::create_hard_link(folder / "file", folder / "twin");
  EXPECT_EQ(files::resolved(folder / "second"), folder / "file");
  EXPECT_EQ(files::resolved(folder / "dangling"), folder / "missing");
  EXPECT_EQ(files::resolved("/dev/stdout"), "/proc/self/fd/1");
  EXPECT_EQ(files::identity(folder / "second"), files::identity(folder / "twin"));
  EXPECT_EQ(files::identity(folder / "dangling"), std::nullopt);
  EXPECT_EQ(files::own_descriptor("/dev/fd/2"), 2);
  EXPECT_EQ(files::own_descriptor("/dev/fd/2.partial"), std::nullopt);
  EXPECT_EQ(files::own_descriptor(folder / "link"), std::nullopt);
  for (const char* stream : {"-", "/dev/stdout", "/dev/null"}) EXPECT_TRUE(files::is_stream(stream)) << stream;
  for (const char* none : {"file", "link", "dangling", "none"}) EXPECT_FALSE(files::is_stream(folder / none)) << none;
}

TEST(File, ReadsWritesAndCutsWhole) {
  const testing::TempFolder folder;
  File file = File::open(folder / "f", O_RDWR | O_CREAT);
  file.write_all(std::string_view("abcdef"));
  file.write_all_at(std::as_bytes(std::span("XY", 2)), 1);
  std::array<std::byte, 4> read{};
  file.read_all_at(read, 0);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(read.data()), 4), "aXYd");
  file.resize(3);
  EXPECT_EQ(file.size(), 3);
  EXPECT_THROW(file.read_all_at(read, 0), MachineError);
  EXPECT_THROW(File::open(folder / "none/f", O_RDONLY), UserError);
  File full = File::open("/dev/full", O_WRONLY);
  EXPECT_THROW(full.write_all(std::string_view("x")), DiskFull);
}

TEST(File, OneHasTheLockUntilItIsClosed) {
  const testing::TempFolder folder;
  File first = File::open(folder / "f", O_RDWR | O_CREAT);
  const File second = File::open(folder / "f", O_RDWR);
  EXPECT_TRUE(first.try_lock());
  EXPECT_FALSE(second.try_lock());
  first = File();
  EXPECT_TRUE(second.try_lock());
}

}  // namespace
}  // namespace sgpt
