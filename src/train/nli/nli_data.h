// Training data from AllNLI.tsv: of each sentence with an entailment and a contradiction two triplets, (a, e, c) and
// (e', a, c'), drawn with the seed. Sentences are tokenised when a batch asks for them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "encode/cut_texts.h"
#include "encode/text_preparation.h"
#include "train/nli/nli_anchors.h"
#include "train/training_set.h"

namespace sgpt {

class NliData : public TrainingSet {
 public:
  struct Options {
    std::int64_t max_examples = 0;  ///< only the first so many; 0: all
    std::uint64_t seed = 0;         ///< of the drawing …
    std::uint64_t drawing = 0;      ///< … of which there are many: each rank may have its own
  };

  /// `preparation` must outlive it.
  NliData(const TextPreparation& preparation, NliAnchors anchors, const Options& options);

  std::int64_t size() const override { return static_cast<std::int64_t>(triplets_.size()); }
  std::int64_t negatives_per_query() const override { return 1; }
  /// Of the sentences and their sets; what is drawn follows from the seed.
  std::uint64_t fingerprint() const override { return fingerprint_; }
  /// Every visit brings the same texts.
  TrainingBatch batch(std::span<const std::int64_t> examples, std::int64_t visit) const override;
  /// Of the texts stripped and in lower case.
  void texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const override;
  void tell_cut_texts() const override { cut_.tell(preparation_.max_seq_length()); }

  /// The query, its positive and its negative.
  std::array<std::string, 3> texts(std::int64_t example) const;

 private:
  using Triplet = std::array<std::uint32_t, 3>;  // numbers of sentences

  const TextPreparation& preparation_;
  std::uint64_t fingerprint_;
  std::vector<std::string> sentences_;
  std::vector<std::uint64_t> hashes_;  // of the sentences
  std::vector<Triplet> triplets_;
  mutable CutTexts cut_;  // of the batches so far
};

}  // namespace sgpt
