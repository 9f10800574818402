// libFuzzer's entry for fuzz::tokenizer (readers.h).
#include "readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sgpt::fuzz::tokenizer(std::as_bytes(std::span(data, size)));
  return 0;
}
