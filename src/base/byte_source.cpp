#include "base/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kPackedBytes = std::size_t{1} << 18;  // read from a gzip file at once
constexpr int kGzipOnly = 16 + MAX_WBITS;                   // zlib: expect a gzip header, check its length and CRC
constexpr std::string_view kGzip = "\x1f\x8b";

/// How other packed files begin: they are refused by name, since their bytes are no text.
struct Packing {
  std::string_view magic;
  std::string_view name;
};
constexpr std::array kUnknownPackings{Packing{"\x28\xb5\x2f\xfd", "zstd"}, Packing{"\xfd\x37zXZ", "xz"},
                                      Packing{"BZh91AY&SY", "bzip2"}, Packing{"PK\x03\x04", "zip"},
                                      Packing{"\x04\x22\x4d\x18", "lz4"}};

}  // namespace

struct ByteSource::Impl {
  std::string name;
  int descriptor = -1;                // or, without one, bytes in memory:
  std::span<const std::byte> memory;  // what was not yet read of them
  std::vector<std::byte> packed;      // what was read of the file itself and not yet handed out or unpacked:
  std::size_t begin = 0;              // packed[begin … end)
  std::size_t end = 0;
  bool gzip = false;
  bool in_member = false;  // a gzip file is a row of members; most have one
  z_stream stream{};

  ~Impl() {
    if (descriptor > STDIN_FILENO) ::close(descriptor);
    if (gzip) ::inflateEnd(&stream);
  }

  std::size_t read_file(std::span<std::byte> target);
  bool fill();
  void detect_packing();
  std::size_t unpack(std::span<std::byte> target);
};

std::size_t ByteSource::Impl::read_file(std::span<std::byte> target) {
  if (descriptor < 0) {
    const auto some = memory.first(std::min(memory.size(), target.size()));
    std::copy(some.begin(), some.end(), target.begin());
    memory = memory.subspan(some.size());
    return some.size();
  }
  ssize_t got;
  do {
    got = ::read(descriptor, target.data(), target.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw MachineError(fmt::format("{}: reading failed: {}", name, std::strerror(errno)));
  return static_cast<std::size_t>(got);
}

/// More of the file behind what is there; false at its end.
bool ByteSource::Impl::fill() {
  std::copy(packed.begin() + static_cast<std::ptrdiff_t>(begin), packed.begin() + static_cast<std::ptrdiff_t>(end),
            packed.begin());
  end -= begin;
  begin = 0;
  const std::size_t got = read_file(std::span(packed).subspan(end));
  end += got;
  return got > 0;
}

void ByteSource::Impl::detect_packing() {
  packed.resize(kPackedBytes);
  const auto begins_with = [&](std::string_view magic) {
    return std::string_view(reinterpret_cast<const char*>(packed.data()), end).starts_with(magic);
  };
  // Only a first byte that fits asks for a second one: a person at stdin may have typed but one.
  while ((end == 0 || (end == 1 && begins_with(kGzip.substr(0, 1)))) && fill()) {
  }
  for (const Packing& packing : kUnknownPackings) {
    if (!begins_with(packing.magic)) continue;
    throw UserError(
        fmt::format("{}: is packed with {}, which is not read; unpack it, or pack it with gzip", name, packing.name));
  }
  if (!begins_with(kGzip)) return;
  if (::inflateInit2(&stream, kGzipOnly) != Z_OK) throw MachineError(name + ": no memory to unpack it");
  gzip = true;
  in_member = true;
}

std::size_t ByteSource::Impl::unpack(std::span<std::byte> target) {
  target = target.first(std::min<std::size_t>(target.size(), std::size_t{1} << 30));  // zlib counts in 32 bits
  std::size_t made = 0;
  while (made == 0) {
    if (begin == end && !fill()) {
      if (in_member) {
        throw UserError(fmt::format("{}: truncated: the gzip file ends in the middle; fetch or copy it again", name));
      }
      return 0;
    }
    if (!in_member) {
      while (begin < end && packed[begin] == std::byte{0}) ++begin;  // padding, as tapes and archives leave it
      if (begin == end) continue;
      ::inflateReset(&stream);
      in_member = true;
    }
    stream.next_in = reinterpret_cast<Bytef*>(packed.data() + begin);
    stream.avail_in = static_cast<uInt>(end - begin);
    stream.next_out = reinterpret_cast<Bytef*>(target.data());
    stream.avail_out = static_cast<uInt>(target.size());
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    begin = end - stream.avail_in;
    made = target.size() - stream.avail_out;
    if (status == Z_STREAM_END) {
      in_member = false;
    } else if (status == Z_MEM_ERROR) {
      throw MachineError(name + ": no memory to unpack it");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw UserError(fmt::format("{}: broken gzip file: {}; fetch or copy it again", name,
                                  stream.msg ? stream.msg : "it cannot be unpacked"));
    }
  }
  return made;
}

ByteSource::ByteSource(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->name = path == "-" ? "<stdin>" : path.string();
  impl_->descriptor = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (impl_->descriptor < 0) {
    throw UserError(fmt::format("{}: cannot be opened: {}", impl_->name, std::strerror(errno)));
  }
  struct stat status {};
  if (::fstat(impl_->descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    throw UserError(fmt::format("{}: is a folder; expected a file of lines", impl_->name));
  }
}

ByteSource::ByteSource(std::string name, std::span<const std::byte> bytes) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->memory = bytes;
}

ByteSource::~ByteSource() = default;
ByteSource::ByteSource(ByteSource&&) noexcept = default;

std::size_t ByteSource::read(std::span<std::byte> target) {
  Impl& source = *impl_;
  if (source.packed.empty()) source.detect_packing();
  if (source.gzip) return source.unpack(target);
  if (source.begin == source.end) return source.read_file(target);
  const std::size_t count = std::min(target.size(), source.end - source.begin);  // what detect_packing() read
  std::copy_n(source.packed.begin() + static_cast<std::ptrdiff_t>(source.begin), count, target.begin());
  source.begin += count;
  return count;
}

const std::string& ByteSource::name() const { return impl_->name; }

bool ByteSource::packed() {
  if (impl_->packed.empty()) impl_->detect_packing();
  return impl_->gzip;
}

void require_readable(const std::filesystem::path& file) {
  std::error_code none;
  if (file == "-") return;
  if (::access(file.c_str(), R_OK) != 0) {
    throw UserError(fmt::format("{}: cannot be opened: {}", file.string(), std::strerror(errno)));
  }
  if (std::filesystem::is_directory(file, none)) {
    throw UserError(fmt::format("{}: is a folder; expected a file of lines", file.string()));
  }
}

std::filesystem::path packed_or_plain(const std::filesystem::path& file) {
  std::error_code none;
  if (std::filesystem::exists(file, none)) return file;
  std::filesystem::path other = file;
  if (file.extension() == ".gz") {
    other.replace_extension();
  } else {
    other += ".gz";
  }
  return std::filesystem::exists(other, none) ? other : file;
}

}  // namespace sgpt
