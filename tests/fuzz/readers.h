// What is fuzzed: each function reads any bytes as one kind of file, looks at all that it got, and swallows the
// UserError that broken input deserves. Anything else (another exception, a crash, a sanitizer's report) is a bug.
#pragma once

#include <unistd.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/mman.h>

#include "base/json_lines.h"
#include "model/pickle.h"
#include "model/safetensors.h"
#include "model/torch_archive.h"
#include "sgpt/error.h"
#include "sgpt/tokenizer.h"

namespace sgpt::fuzz {

/// A file in memory that readers of paths can open.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes) : descriptor_(::memfd_create("fuzz", 0)) {
    for (std::size_t written = 0; written < bytes.size();) {
      const ssize_t count = ::write(descriptor_, bytes.data() + written, bytes.size() - written);
      if (count <= 0) break;
      written += static_cast<std::size_t>(count);
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Reads every byte, so that AddressSanitizer sees a span that leaves the file.
inline void touch(std::span<const CheckpointTensor> tensors) {
  volatile std::size_t sum = 0;
  for (const CheckpointTensor& tensor : tensors) {
    for (const std::byte byte : tensor.bytes.first(std::min<std::size_t>(tensor.bytes.size(), 4096))) {
      sum = sum + static_cast<std::size_t>(byte);
    }
    if (!tensor.bytes.empty()) sum = sum + static_cast<std::size_t>(tensor.bytes.back());
  }
}

inline void safetensors(std::span<const std::byte> bytes) {
  try {
    touch(read_safetensors(bytes, "file"));
  } catch (const UserError&) {
  }
}

inline void torch_archive(std::span<const std::byte> bytes) {
  try {
    touch(read_torch_archive(bytes, "file"));
  } catch (const UserError&) {
  }
}

/// Knows a few globals and takes entries now and then, so that every path of the machine is walked.
class AnythingReader final : public PickleReader {
 public:
  bool knows(std::string_view global) const override { return global.size() % 2 == 0; }
  PickleValue call(PickleMachine& machine, std::string_view, std::span<const PickleValue> arguments) override {
    return arguments.empty() ? machine.make(PickleKind::dict) : arguments.front();
  }
  PickleValue persistent(PickleMachine& machine, const PickleValue& id) override {
    return machine.make(PickleKind::object, shown(id));
  }
  bool take(const PickleValue& key, const PickleValue&) override {
    const auto* number = std::get_if<std::int64_t>(&key);
    return number && *number % 2 == 0;
  }
};

inline void pickle(std::span<const std::byte> bytes) {
  try {
    AnythingReader reader;
    PickleMachine machine(pickle_source(bytes), reader, "file", std::size_t{1} << 22);
    shown(machine.run());
  } catch (const UserError&) {
  }
}

inline void tokenizer(std::span<const std::byte> bytes) {
  try {
    const MemoryFile file(bytes);
    const Tokenizer read = Tokenizer::load(file.path());
    const auto ids = read.encode("The quick  brown fox's 42 naïve 東京 <s>\n\tend");
    read.decode(ids);
    read.encode(" a b", 1);
    read.token_to_id("a");
  } catch (const UserError&) {
  }
}

inline void json_lines(std::span<const std::byte> bytes) {
  const MemoryFile file(bytes);
  try {
    for (JsonLineReader reader(file.path()); reader.next();) {
      for (const char* key : {"_id", "text", "query", "negatives"}) {
        const auto attempt = [&](auto get) {
          try {
            get();
          } catch (const UserError&) {
          }
        };
        attempt([&] { reader.string(key); });
        attempt([&] { reader.required_string(key); });
        attempt([&] { reader.texts(key); });
        attempt([&] { reader.integers(key); });
        reader.has(key);
      }
    }
  } catch (const UserError&) {
  }
}

}  // namespace sgpt::fuzz
