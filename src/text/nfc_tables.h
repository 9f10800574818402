// What the canonical normalisation of Unicode needs to know, version 9.0, as scripts/make_nfc_tables.py writes it.
// Hangul's syllables are not in it: they are computed.
#pragma once

#include <cstddef>

#include "text/character_tables.h"

namespace sgpt {

/// A character that is equal to two others in a row, or to one (second 0). The parts may be taken apart further.
struct Decomposition {
  char32_t composed;
  char32_t first;
  char32_t second;
};

extern const Decomposition kCompositions[];  // by `composed`; both ways
extern const std::size_t kCompositionsSize;
extern const Decomposition kOneWayDecompositions[];  // by `composed`; never put together again
extern const std::size_t kOneWayDecompositionsSize;
extern const CodeRun kCombiningRuns[];  // the combining class, 0 for most
extern const std::size_t kCombiningRunsSize;

}  // namespace sgpt
