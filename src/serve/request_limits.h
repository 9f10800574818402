// How long and how large a request may be.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sgpt::serve {

struct RequestLimits {
  std::chrono::milliseconds idle{60000};       ///< until the first byte of a request
  std::chrono::milliseconds head{10000};       ///< for the whole head, from its first byte
  std::chrono::milliseconds body{10000};       ///< for the whole body …
  std::uint64_t body_bytes_a_second = 100000;  ///< … and a second more for so many bytes
  std::chrono::milliseconds write{60000};      ///< for the client to take its answer, and as much more by its size
  std::chrono::milliseconds linger{2000};      ///< for the rest of what was refused, so that the answer is seen
  std::size_t head_bytes = 32768;
  std::uint64_t payload = 16000000;  ///< bytes of a body
  std::uint64_t bodies = 256000000;  ///< bytes of all bodies at once
  std::size_t connections = 4096;

  /// `start` and a second more for so many bytes.
  std::chrono::milliseconds with_bytes(std::chrono::milliseconds start, std::uint64_t bytes) const {
    return start + std::chrono::milliseconds(bytes * 1000 / std::max<std::uint64_t>(1, body_bytes_a_second));
  }
};

}  // namespace sgpt::serve
