#include "train/watch/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

// Field numbers in event.proto and summary.proto.
constexpr std::int64_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;  // Event
constexpr std::int64_t kStatus = 1;                                                                // SessionLog
constexpr std::int64_t kSessionStart = 1;
constexpr std::int64_t kValue = 1;                                    // Summary
constexpr std::int64_t kTag = 1, kSimpleValue = 2, kHistogramOf = 5;  // Summary.Value
constexpr std::int64_t kMin = 1, kMax = 2, kNum = 3, kSum = 4, kSumSquares = 5, kLimit = 6, kBucket = 7;

/// One protobuf message, field by field.
class Message {
 public:
  Message& integer(std::int64_t field, std::int64_t value) {
    varint(tag_of(field, 0));
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& number(std::int64_t field, double value) {
    varint(tag_of(field, 1));
    append(std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  Message& number32(std::int64_t field, float value) {
    varint(tag_of(field, 5));
    append(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  Message& bytes(std::int64_t field, std::string_view content) {
    varint(tag_of(field, 2));
    varint(content.size());
    text_.append(content);
    return *this;
  }
  template <class T>
  Message& packed_numbers(std::int64_t field, const std::vector<T>& values) {
    Message content;
    for (const T value : values) content.append(std::bit_cast<std::uint64_t>(static_cast<double>(value)));
    return bytes(field, content.text_);
  }
  const std::string& text() const { return text_; }

  /// Little-endian, whatever the machine.
  template <class U>
  void append(U value) {
    for (std::size_t i = 0; i < sizeof(U); ++i) text_.push_back(static_cast<char>(value >> (8 * i)));
  }

 private:
  static std::uint64_t tag_of(std::int64_t field, std::uint64_t wire_type) {
    return static_cast<std::uint64_t>(field) << 3 | wire_type;
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_.push_back(static_cast<char>(value | 0x80));
    text_.push_back(static_cast<char>(value));
  }

  std::string text_;
};

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}

/// As TFRecord stores it, so that a checksum of data with checksums in it stays a good one.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8u; }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

fs::path name_of_new_file(const fs::path& folder) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') std::strcpy(host.data(), "localhost");
  for (int number = 0;; ++number) {
    fs::path path = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", static_cast<std::int64_t>(now()),
                                         host.data(), ::getpid(), number);
    if (std::error_code none; !fs::exists(path, none)) return path;
  }
}

std::string histogram_message(const Histogram& values) {
  Message histogram;
  histogram.number(kMin, values.min).number(kMax, values.max).number(kNum, static_cast<double>(values.count));
  histogram.number(kSum, values.sum).number(kSumSquares, values.sum_of_squares);
  histogram.packed_numbers(kLimit, values.limits).packed_numbers(kBucket, values.counts);
  return histogram.text();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFFu];
  return ~crc;
}

EventFile::EventFile(const fs::path& folder, std::int64_t first_step)
    : path_(name_of_new_file(folder)), out_(path_, std::ios::binary) {
  if (!out_) throw UserError(fmt::format("{}: cannot be written; choose another --log_dir", path_.string()));
  write_event(0, kFileVersion, "brain.Event:2");
  write_event(first_step, kSessionLog, Message().integer(kStatus, kSessionStart).text());
}

void EventFile::add(std::int64_t step, std::span<const Scalar> scalars) {
  Message summary;
  for (const Scalar& scalar : scalars) {
    Message value;
    value.bytes(kTag, scalar.tag).number32(kSimpleValue, static_cast<float>(scalar.value));
    summary.bytes(kValue, value.text());
  }
  write_event(step, kSummary, summary.text());
}

void EventFile::add(std::int64_t step, std::span<const NamedHistogram> histograms) {
  Message summary;
  for (const NamedHistogram& histogram : histograms) {
    Message value;
    value.bytes(kTag, histogram.name).bytes(kHistogramOf, histogram_message(histogram.values));
    summary.bytes(kValue, value.text());
  }
  write_event(step, kSummary, summary.text());
}

void EventFile::write_event(std::int64_t step, std::int64_t field, std::string_view content) {
  Message event;
  event.number(kWallTime, now()).integer(kStep, step).bytes(field, content);
  Message length;
  length.append(static_cast<std::uint64_t>(event.text().size()));
  Message head;
  head.append(masked(crc32c(length.text())));
  Message tail;
  tail.append(masked(crc32c(event.text())));
  out_ << length.text() << head.text() << event.text() << tail.text() << std::flush;
  if (!out_) throw MachineError(fmt::format("{}: writing failed; is the disk full?", path_.string()));
}

}  // namespace sgpt
