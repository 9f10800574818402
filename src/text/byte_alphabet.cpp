#include "text/byte_alphabet.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "text/utf8.h"

namespace sgpt {

namespace {

constexpr std::size_t kLetters = 0x100 + 68;  // code points from 0 to the last letter

constexpr bool is_printable_latin1(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr std::array<char32_t, 256> kLetterOfByte = [] {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) letters[byte] = is_printable_latin1(byte) ? byte : next++;
  return letters;
}();

constexpr std::array<std::int16_t, kLetters> kByteOfLetter = [] {
  std::array<std::int16_t, kLetters> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (std::size_t byte = 0; byte < 256; ++byte) bytes[kLetterOfByte[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}();

}  // namespace

char32_t letter_of_byte(unsigned char byte) { return kLetterOfByte[byte]; }

std::optional<unsigned char> byte_of_letter(char32_t letter) {
  if (letter >= kLetters || kByteOfLetter[letter] < 0) return std::nullopt;
  return static_cast<unsigned char>(kByteOfLetter[letter]);
}

std::string letters_of(std::string_view bytes) {
  std::string letters;
  letters.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(letters, letter_of_byte(static_cast<unsigned char>(byte)));
  return letters;
}

void append_bytes_of(std::string_view token, std::string& bytes) {
  const std::size_t before = bytes.size();
  for (std::size_t at = 0; at < token.size();) {
    const auto byte = byte_of_letter(next_code_point(token, at));
    if (!byte) {
      bytes.resize(before);
      bytes += token;
      return;
    }
    bytes.push_back(static_cast<char>(*byte));
  }
}

std::string byte_token(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned char byte = 0;
  const char* end = token.data() + 5;
  const auto [behind, error] = std::from_chars(token.data() + 3, end, byte, 16);
  if (error != std::errc() || behind != end) return std::nullopt;
  return byte;
}

}  // namespace sgpt
