// JSON's strings where they are not parsed: quoting, and escapes of half a character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sgpt {

/// A text as a JSON string, quotes included. The text is valid UTF-8.
std::string json_quoted(std::string_view text);

/// Whether replace_lone_surrogates may find something: a quick look.
bool may_hold_surrogates(std::string_view json);
/// Writes \uFFFD over every escape of half a surrogate pair; returns how many there were.
std::int64_t replace_lone_surrogates(std::string& json);

}  // namespace sgpt
