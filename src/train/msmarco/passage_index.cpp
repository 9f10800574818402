#include "train/msmarco/passage_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/atomic_file.h"
#include "base/log.h"
#include "sgpt/error.h"
#include "train/msmarco/passage_scan.h"

namespace sgpt {
namespace {

constexpr std::array<char, 8> kMagic{'S', 'G', 'P', 'T', 'P', 'I', 'D', '1'};

/// Behind it: offsets u64[passages], then, unless dense, pids u32[passages]. In the machine's byte order: the file is a
/// cache of this machine's, and the magic of another byte order would not fit the sizes.
struct Header {
  std::array<char, 8> magic = kMagic;
  FileStamp collection;
  std::uint64_t passages = 0;
  std::uint64_t dense = 0;
};
static_assert(sizeof(Header) == 40);

void write_index(const std::filesystem::path& path, const Header& header, const PassageTable& table) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(std::as_bytes(std::span(table.offsets)));
  file.write(std::as_bytes(std::span(table.pids)));
  file.commit();
}

}  // namespace

bool PassageIndex::load(const std::filesystem::path& path, const FileStamp& collection) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  file_ = MappedFile(path);
  const std::span<const std::byte> bytes = file_.bytes();
  Header header;
  if (bytes.size() < sizeof(Header)) return false;
  std::memcpy(&header, bytes.data(), sizeof(Header));
  const std::uint64_t row_bytes = header.dense ? sizeof(std::uint64_t) : sizeof(std::uint64_t) + sizeof(std::uint32_t);
  const std::uint64_t payload = bytes.size() - sizeof(Header);
  if (header.magic != kMagic || header.collection != collection || header.passages == 0 || payload % row_bytes != 0 ||
      payload / row_bytes != header.passages) {
    return false;
  }
  const auto count = static_cast<std::size_t>(header.passages);
  offsets_ = {reinterpret_cast<const std::uint64_t*>(bytes.data() + sizeof(Header)), count};
  if (!header.dense) pids_ = {reinterpret_cast<const std::uint32_t*>(offsets_.data() + count), count};
  return true;
}

PassageIndex PassageIndex::open(const MappedFile& collection) {
  const FileLock lock(collection.path());
  std::filesystem::path path = collection.path();
  path += ".sgpt-index";
  const FileStamp stamp = stamp_of(collection.path());
  PassageIndex index;
  if (index.load(path, stamp)) return index;

  log::info(fmt::format("{}: indexing the passages; the index is kept in {}", collection.path().string(),
                        path.filename().string()));
  {
    const PassageTable table = scan_passages(collection);
    Header header;
    header.collection = stamp;
    header.passages = table.offsets.size();
    header.dense = table.pids.empty();
    write_index(path, header, table);
  }
  if (!index.load(path, stamp)) {
    throw MachineError(fmt::format("{}: was changed while it was written; try again", path.string()));
  }
  return index;
}

std::optional<std::uint32_t> PassageIndex::row(std::int64_t pid) const {
  if (pids_.empty()) {
    if (pid < 0 || pid >= size()) return std::nullopt;
    return static_cast<std::uint32_t>(pid);
  }
  const auto found = std::lower_bound(pids_.begin(), pids_.end(), pid);
  if (found == pids_.end() || *found != pid) return std::nullopt;
  return static_cast<std::uint32_t>(found - pids_.begin());
}

}  // namespace sgpt
