#include "model/pickle_opcodes.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace sgpt::opcode {

std::string name_of(std::uint8_t code) {
  static constexpr std::pair<std::uint8_t, std::string_view> kRefused[] = {{'2', "DUP"},
                                                                           {'F', "FLOAT"},
                                                                           {'I', "INT"},
                                                                           {'L', "LONG"},
                                                                           {'P', "PERSID"},
                                                                           {'S', "STRING"},
                                                                           {'T', "BINSTRING"},
                                                                           {'U', "SHORT_BINSTRING"},
                                                                           {'V', "UNICODE"},
                                                                           {'d', "DICT"},
                                                                           {'g', "GET"},
                                                                           {'i', "INST"},
                                                                           {'l', "LIST"},
                                                                           {'o', "OBJ"},
                                                                           {'p', "PUT"},
                                                                           {0x80, "PROTO"},
                                                                           {0x81, "NEWOBJ"},
                                                                           {0x82, "EXT1"},
                                                                           {0x83, "EXT2"},
                                                                           {0x84, "EXT4"},
                                                                           {0x8b, "LONG4"},
                                                                           {0x8e, "BINBYTES8"},
                                                                           {0x8f, "EMPTY_SET"},
                                                                           {0x90, "ADDITEMS"},
                                                                           {0x91, "FROZENSET"},
                                                                           {0x92, "NEWOBJ_EX"},
                                                                           {0x96, "BYTEARRAY8"},
                                                                           {0x97, "NEXT_BUFFER"},
                                                                           {0x98, "READONLY_BUFFER"}};
  for (const auto& [known, name] : kRefused) {
    if (code == known) return fmt::format("{} (0x{:02x})", name, code);
  }
  return fmt::format("0x{:02x}", code);
}

}  // namespace sgpt::opcode
