// Where texts stand, so that a message about one of them can say it: "corpus.jsonl:12" for what was read from a file,
// "text 3 of 40" in a list of the caller's own.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <fmt/format.h>

namespace sgpt {

/// The place of each text; empty for a list of the caller's own.
using TextPlaces = std::span<const std::string>;

inline std::string place_of(std::size_t text, std::size_t texts, TextPlaces places) {
  return places.empty() ? fmt::format("text {} of {}", text + 1, texts) : places[text];
}

}  // namespace sgpt
