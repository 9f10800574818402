// libFuzzer's entry for fuzz::safetensors (readers.h).
#include "readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sgpt::fuzz::safetensors(std::as_bytes(std::span(data, size)));
  return 0;
}
