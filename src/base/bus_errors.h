// Which file lies where in memory, so that the bus error of a file that was cut while it was in use can be explained
// (sgpt/error.h, explain_bus_errors).
#pragma once

#include <cstddef>
#include <filesystem>
#include <utility>

namespace sgpt {

/// The file that is mapped there; null: none. For signal handlers, too.
const char* file_mapped_at(const void* address) noexcept;

/// The name of a mapping, as long as that lasts. Thread-safe. One too many (a thousand at once) stays nameless.
class NamedMapping {
 public:
  NamedMapping() = default;
  NamedMapping(const void* begin, std::size_t size, const std::filesystem::path& file);
  NamedMapping(NamedMapping&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}
  NamedMapping& operator=(NamedMapping&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~NamedMapping() { forget(); }

  void forget() noexcept;

 private:
  int slot_ = -1;
};

}  // namespace sgpt
