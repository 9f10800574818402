// libFuzzer's entry for fuzz::json_lines (readers.h).
#include "readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sgpt::fuzz::json_lines(std::as_bytes(std::span(data, size)));
  return 0;
}
