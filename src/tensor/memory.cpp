#include "tensor/memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kAddressSpace = std::size_t{1} << 56;  // no processor addresses more; refused without asking

class HostMemory final : public Memory {
 public:
  void* allocate(std::size_t bytes) override {
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* data = bytes > kAddressSpace ? nullptr : std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
    if (!data) {
      throw MachineError(
          fmt::format("could not allocate {} bytes of memory: use a smaller batch, token budget or model", bytes));
    }
    if (alignment == kHugePage) madvise(data, rounded, MADV_HUGEPAGE);  // advice only: a refusal costs speed alone
    return data;
  }
  void release(void* data, std::size_t) noexcept override { std::free(data); }
};

}  // namespace

Memory& host_memory() {
  static HostMemory memory;
  return memory;
}

}  // namespace sgpt
