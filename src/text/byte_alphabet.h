// The letters in which byte-level tokens are written: each of the 256 bytes has a printable character of its own
// (GPT-2's table: printable Latin-1 stands for itself, the other 68 bytes take U+0100 and up in order).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sgpt {

char32_t letter_of_byte(unsigned char byte);
std::optional<unsigned char> byte_of_letter(char32_t letter);

/// Bytes written in letters, as UTF-8.
std::string letters_of(std::string_view bytes);

/// Appends the bytes that a token stands for; a token with any other character than the 256 letters stands for its own
/// UTF-8 bytes.
void append_bytes_of(std::string_view token, std::string& bytes);

/// How SentencePiece writes a byte: <0x0A>.
std::string byte_token(unsigned char byte);
std::optional<unsigned char> byte_of_token(std::string_view token);

}  // namespace sgpt
