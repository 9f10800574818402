// AllNLI.tsv (SNLI and MultiNLI): which sentences follow from one, and which contradict it, as training_nli_v2.py of
// sentence-transformers collects them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sgpt {

/// A sentence that something follows from and something contradicts; all are numbers of sentences, those of a set once.
struct NliAnchor {
  std::uint32_t sentence = 0;
  std::vector<std::uint32_t> entailments;
  std::vector<std::uint32_t> contradictions;
};

struct NliAnchors {
  std::vector<std::string> sentences;  ///< of the split "train", stripped
  std::vector<NliAnchor> anchors;      ///< in the order in which the file first names them

  /// A checksum of all sets.
  std::uint64_t fingerprint() const;
};

/// Reads the rows whose column split is "train", packed or not. Every row counts both ways, so that its two sentences
/// entail, or contradict, each other. Throws UserError naming the file and the column that is missing, or the line
/// whose label is none of the three; and when there is no anchor.
NliAnchors read_nli_anchors(const std::filesystem::path& file);

}  // namespace sgpt
