// libFuzzer's entry for fuzz::torch_archive (readers.h).
#include "readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sgpt::fuzz::torch_archive(std::as_bytes(std::span(data, size)));
  return 0;
}
