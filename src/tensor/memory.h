// Where tensors live: a backend's memory, and buffers that own a piece of it.
#pragma once

#include <cstddef>
#include <utility>

namespace sgpt {

/// Allocates for one device. Thread-safe.
class Memory {
 public:
  virtual ~Memory() = default;
  /// At least `bytes` bytes, aligned to 64, content undefined. Throws MachineError, saying how much was asked for.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* data, std::size_t bytes) noexcept = 0;
};

/// The machine's own memory; large pieces are backed by huge pages where the kernel offers them.
Memory& host_memory();

/// Owns a piece of a Memory.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Memory& memory, std::size_t bytes) : memory_(&memory), bytes_(bytes), data_(memory.allocate(bytes)) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() {
    if (data_) memory_->release(data_, bytes_);
  }
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Memory* memory_ = nullptr;
  std::size_t bytes_ = 0;
  void* data_ = nullptr;
};

}  // namespace sgpt
