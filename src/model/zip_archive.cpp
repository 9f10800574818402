#include "model/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "model/describe.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kLocator64Bytes = 20;
constexpr std::uint64_t kLongestComment = 0xffff;
constexpr std::uint16_t kZip64Extra = 1;

using Entries = std::unordered_map<std::string, std::span<const std::byte>>;

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  Entries read() {
    find_directory();
    Entries entries;
    std::uint64_t position = directory_;
    for (std::uint64_t i = 0; i < count_; ++i) {
      Entry entry = central_entry(position);
      const std::string name(entry.name);
      if (!entries.emplace(name, content(entry)).second) fail("the zip archive names {} twice", shown(name));
    }
    if (position != directory_end_) fail("the zip directory is longer than its entries");
    return entries;
  }

 private:
  struct Entry {
    std::string_view name;
    std::uint64_t size;
    std::uint64_t local;  // where its local header begins
  };

  template <class... Values>
  [[noreturn]] void fail(fmt::format_string<Values...> format, Values&&... values) const {
    throw UserError(fmt::format("{}: {}", path_.string(), fmt::format(format, std::forward<Values>(values)...)));
  }

  /// `count` bytes from `position` on, or a message that names the part.
  std::span<const std::byte> range(std::uint64_t position, std::uint64_t count, const char* part) const {
    if (position > bytes_.size() || count > bytes_.size() - position) {
      fail("broken zip archive: {} would be bytes {} + {} of a file of {}", part, position, count, bytes_.size());
    }
    return bytes_.subspan(static_cast<std::size_t>(position), static_cast<std::size_t>(count));
  }

  template <class Number>
  static Number number(std::span<const std::byte> from, std::size_t offset) {
    Number value;
    std::memcpy(&value, from.data() + offset, sizeof value);  // little-endian
    return value;
  }

  /// The end record is the last thing in the file, but for a comment whose length it gives.
  std::uint64_t find_end() const {
    if (bytes_.size() < kEndBytes) fail("truncated: {} bytes are no zip archive", bytes_.size());
    const std::uint64_t last = bytes_.size() - kEndBytes;
    for (std::uint64_t back = 0; back <= std::min(last, kLongestComment); ++back) {
      const auto record = bytes_.subspan(static_cast<std::size_t>(last - back));
      if (number<std::uint32_t>(record, 0) == kEndSignature && number<std::uint16_t>(record, 20) == back) {
        return last - back;
      }
    }
    fail("truncated or over-long: the zip directory that should end the file is not there");
  }

  void find_directory() {
    const std::uint64_t end = find_end();
    const auto record = range(end, kEndBytes, "the end record");
    count_ = number<std::uint16_t>(record, 10);
    std::uint64_t size = number<std::uint32_t>(record, 12);
    directory_ = number<std::uint32_t>(record, 16);
    if (count_ == 0xffff || size == 0xffffffff || directory_ == 0xffffffff) {
      const auto locator = range(end - std::min(end, kLocator64Bytes), kLocator64Bytes, "the zip64 locator");
      if (number<std::uint32_t>(locator, 0) != kLocator64Signature) fail("broken zip archive: no zip64 locator");
      const auto end64 = range(number<std::uint64_t>(locator, 8), kEnd64Bytes, "the zip64 end record");
      if (number<std::uint32_t>(end64, 0) != kEnd64Signature) fail("broken zip archive: no zip64 end record");
      count_ = number<std::uint64_t>(end64, 32);
      size = number<std::uint64_t>(end64, 40);
      directory_ = number<std::uint64_t>(end64, 48);
    }
    range(directory_, size, "the directory");
    directory_end_ = directory_ + size;
    if (directory_end_ > end) fail("broken zip archive: the directory runs into the end record");
    if (count_ > size / kCentralBytes) fail("broken zip archive: {} entries in a directory of {} bytes", count_, size);
  }

  /// Reads the entry at `position` of the directory and moves on to the next.
  Entry central_entry(std::uint64_t& position) const {
    const auto record = range(position, kCentralBytes, "a directory entry");
    if (number<std::uint32_t>(record, 0) != kCentralSignature) {
      fail("broken zip archive: no directory entry at byte {}", position);
    }
    const auto name_bytes = range(position + kCentralBytes, number<std::uint16_t>(record, 28), "an entry's name");
    Entry entry{{reinterpret_cast<const char*>(name_bytes.data()), name_bytes.size()},
                number<std::uint32_t>(record, 24),
                number<std::uint32_t>(record, 42)};
    if (number<std::uint16_t>(record, 8) & 1u) fail("the entry {} is encrypted", shown(entry.name));
    if (const auto method = number<std::uint16_t>(record, 10); method != 0) {
      fail("the entry {} is compressed (method {}); expected it stored, as torch.save does", shown(entry.name), method);
    }
    const std::uint64_t after_name = position + kCentralBytes + name_bytes.size();
    const auto extra = range(after_name, number<std::uint16_t>(record, 30), "an entry's extra field");
    std::uint64_t packed_size = number<std::uint32_t>(record, 20);
    widen(entry, packed_size, extra);
    if (packed_size != entry.size) fail("the entry {} gives two different sizes", shown(entry.name));
    position = after_name + extra.size() + number<std::uint16_t>(record, 32);
    if (position > directory_end_) fail("broken zip archive: the directory runs past its end");
    return entry;
  }

  /// Puts the 64-bit values of the zip64 extra field where the 32-bit ones say that they are too small.
  void widen(Entry& entry, std::uint64_t& packed_size, std::span<const std::byte> extra) const {
    while (extra.size() >= 4) {
      const auto id = number<std::uint16_t>(extra, 0);
      const auto length = number<std::uint16_t>(extra, 2);
      if (length > extra.size() - 4u) fail("the entry {} has a broken extra field", shown(entry.name));
      auto values = extra.subspan(4, length);
      extra = extra.subspan(4u + length);
      if (id != kZip64Extra) continue;
      for (std::uint64_t* value : {&entry.size, &packed_size, &entry.local}) {
        if (*value != 0xffffffff) continue;
        if (values.size() < 8) fail("the entry {} has a short zip64 field", shown(entry.name));
        *value = number<std::uint64_t>(values, 0);
        values = values.subspan(8);
      }
    }
  }

  std::span<const std::byte> content(const Entry& entry) const {
    const auto header = range(entry.local, kLocalBytes, "a local header");
    if (number<std::uint32_t>(header, 0) != kLocalSignature) {
      fail("broken zip archive: no local header of {} at byte {}", shown(entry.name), entry.local);
    }
    const std::uint64_t name_length = number<std::uint16_t>(header, 26);
    const auto name = range(entry.local + kLocalBytes, name_length, "a local name");
    if (std::string_view(reinterpret_cast<const char*>(name.data()), name.size()) != entry.name) {
      fail("broken zip archive: the local header at byte {} is not that of {}", entry.local, shown(entry.name));
    }
    const std::uint64_t begin = entry.local + kLocalBytes + name_length + number<std::uint16_t>(header, 28);
    const auto data = range(begin, entry.size, "an entry's content");
    if (begin + entry.size > directory_) fail("the entry {} runs into the zip directory", shown(entry.name));
    return data;
  }

  std::span<const std::byte> bytes_;
  const std::filesystem::path& path_;
  std::uint64_t directory_ = 0;
  std::uint64_t directory_end_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace

Entries read_zip(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  return Reader(bytes, path).read();
}

}  // namespace sgpt
