// Mapped files, and files that appear only when they are whole.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/atomic_file.h"
#include "base/atomic_folder.h"
#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "base/unfinished.h"
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

TEST(AtomicFile, FollowsLinksAndKeepsThem) {
  const testing::TempFolder folder;
  write_file(folder / "there", "old");
  std::filesystem::create_symlink("there", folder / "link");
  std::filesystem::create_symlink("missing", folder / "dangling");
  write_file(folder / "link", "new");
  write_file(folder / "dangling", "made");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "dangling"));
  EXPECT_EQ(content(folder / "there"), "new");
  EXPECT_EQ(content(folder / "missing"), "made");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THROW(write_file(folder / "loop", "x"), UserError);
}

TEST(AtomicFile, KeepsTheFilesPermissions) {
  const testing::TempFolder folder;
  write_file(folder / "f", "old");
  ::chmod((folder / "f").c_str(), 0640);
  write_file(folder / "f", "new");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
}

TEST(AtomicFile, WritesIntoWhatIsNoFileAndRefusesSockets) {
  const testing::TempFolder folder;
  const auto fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] { got = content(fifo); });
  write_file(fifo, "through");
  reader.join();
  EXPECT_EQ(got, "through");
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
  EXPECT_EQ(files_in(folder.path()), 1u);

  EXPECT_THROW(write_file("/dev/full", "x"), DiskFull);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));

  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder / "socket").native().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_THROW(write_file(folder / "socket", "x"), UserError);
  ::close(socket);
}

TEST(AtomicFile, AnotherNameOfAnOpenDescriptorIsWrittenInto) {
  const testing::TempFolder folder;
  File open = File::open(folder / "f", O_RDWR | O_CREAT);
  open.write_all(std::string_view("before "));
  write_file(std::filesystem::path("/dev/fd") / std::to_string(open.descriptor()), "after");
  EXPECT_EQ(content(folder / "f"), "before after");
}

TEST(Partial, RemovesWhatWasAbandonedAndNothingElse) {
  const testing::TempFolder folder;
  for (const char* name : {"f.partial-1", "f.partial-x", "f.partial-", "g.partial-1", "f.partial"}) {
    folder.write(name, "half");
  }
  std::filesystem::create_directories(folder / "f.partial-2/below");
  {
    AtomicFile first(folder / "f");
    const AtomicFile second(folder / "f");  // of another process, say: both are at work
    EXPECT_FALSE(std::filesystem::exists(folder / "f.partial-1"));
    EXPECT_FALSE(std::filesystem::exists(folder / "f.partial-2"));
    EXPECT_EQ(files_in(folder.path()), 6u);
    first.write("whole");
    first.commit();
  }
  EXPECT_EQ(content(folder / "f"), "whole");
  EXPECT_EQ(files_in(folder.path()), 5u);
  Partial::remove_abandoned(folder.path());
  EXPECT_FALSE(std::filesystem::exists(folder / "g.partial-1"));
  EXPECT_EQ(files_in(folder.path()), 4u);
}

TEST(Partial, AnAbandonedNameOfThisVeryProcessIsNoObstacle) {
  const testing::TempFolder folder;
  folder.write("f.partial-" + std::to_string(::getpid()), "half");
  write_file(folder / "f", "whole");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFolder, IsWholeOrNotThere) {
  const testing::TempFolder folder;
  std::filesystem::create_directory(folder / "there");
  std::filesystem::create_symlink("there", folder / "link");
  ::chmod((folder / "there").c_str(), 0750);
  { write_file(AtomicFolder(folder / "dropped") / "f", "x"); }
  EXPECT_EQ(files_in(folder.path()), 2u);
  AtomicFolder made(folder / "link/");
  write_file(made / "f", "x");
  made.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(content(folder / "there/f"), "x");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "there").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750u);
  EXPECT_THROW(AtomicFolder(folder / "there").commit(), UserError);  // not empty any more
  EXPECT_EQ(files_in(folder.path()), 2u);
}

TEST(Unfinished, IsRemovedWhenASignalEndsTheProcess) {
  const testing::TempFolder folder;
  write_file(folder / "whole", "x");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder / "f");
    AtomicFolder made(folder / "folder");
    std::filesystem::create_directories(made / "a/b");
    write_file(made / "a/b/f", "x");
    remove_unfinished();
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(files_in(folder.path()), 1u);
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

TEST(MappedFile, OneThatIsCutWhileItIsReadIsNamed) {
  const testing::TempFolder folder;
  write_file(folder / "model", std::string(100'000, 'a'));
  const auto read_after_cut = [&] {
    explain_bus_errors();
    MappedFile mapped(folder / "model");
    const MappedFile moved = std::move(mapped);
    const AtomicFile half(folder / "half");
    std::filesystem::resize_file(folder / "model", 0);
    const volatile char first = moved.text()[0];  // read, whatever the compiler thinks of it
    std::_Exit(first == 'a' ? 0 : 2);
  };
  EXPECT_EXIT(read_after_cut(), ::testing::ExitedWithCode(1),
              "^sgpt: .*/model: reading failed: the file became shorter");
  EXPECT_EQ(files_in(folder.path()), 1u);  // nothing half-written
  EXPECT_EXIT((explain_bus_errors(), std::raise(SIGBUS)), ::testing::KilledBySignal(SIGBUS), "");
}

TEST(MappedFile, OneThatIsCutWhileItIsCopiedIsNamed) {
  const testing::TempFolder folder;
  write_file(folder / "model", std::string(3 << 20, 'a'));
  const MappedFile mapped(folder / "model");
  std::filesystem::resize_file(folder / "model", 100);
  try {
    write_file(folder / "copy", mapped.text());
    FAIL() << "nothing was thrown";
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("/model: reading failed: the file became shorter"));
  }
  EXPECT_EQ(files_in(folder.path()), 1u);
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
