// Training data as token ids: read and tokenised once, then handed out batch by batch.
// A JSONL file of {"query", "positive", "negative"} (positive and negative may be lists; or no negatives in the whole
// file), or a BEIR folder with qrels/train.tsv.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encode/cut_texts.h"
#include "encode/text_preparation.h"
#include "train/training_set.h"

namespace sgpt {

/// The ids of many texts in one array. Not thread-safe while texts are added.
class TextStore {
 public:
  void add(std::span<const std::int32_t> ids, std::uint64_t hash);
  std::span<const std::int32_t> operator[](std::int64_t text) const;
  std::uint64_t hash(std::int64_t text) const { return hashes_[static_cast<std::size_t>(text)]; }
  std::int64_t size() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
  std::uint64_t fingerprint() const;

 private:
  std::vector<std::int32_t> ids_;
  std::vector<std::int64_t> begins_{0};
  std::vector<std::uint64_t> hashes_;  // of the texts themselves
};

struct TrainingDataOptions {
  std::int64_t negatives_per_query = 0;  ///< in each batch; 0: as many as the example with the fewest has
  std::int64_t max_examples = 0;         ///< only the first so many; 0: all
  bool warnings = true;                  ///< of what was surely not meant; of several ranks one is enough
};

class TrainingData : public TrainingSet {
 public:
  /// Reads a JSONL file or a BEIR folder. Throws UserError naming file and line when a line is broken, has no query or
  /// positive, or fewer negatives than asked for, or when some lines have negatives and others have none.
  static TrainingData read(const std::filesystem::path& path, const TextPreparation& preparation,
                           const TrainingDataOptions& options);

  std::int64_t size() const override { return static_cast<std::int64_t>(examples_.size()); }
  std::int64_t negatives_per_query() const override { return negatives_per_query_; }
  std::uint64_t fingerprint() const override;
  TrainingBatch batch(std::span<const std::int64_t> examples, std::int64_t visit) const override;
  void texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const override;
  void tell_cut_texts() const override { cut_->tell(max_seq_length_); }

 private:
  friend class TrainingDataBuilder;

  struct Example {  // of query number i is example number i
    std::int64_t first_link = 0;
    std::int64_t positives = 0;  // links_[first_link …]
    std::int64_t negatives = 0;  // after the positives
  };

  /// The document in this column of a batch: 1 its positive, from 2 on its negatives.
  std::int64_t document(const Example& example, std::int64_t visit, std::int64_t column) const;

  TextStore queries_;
  TextStore documents_;
  std::vector<Example> examples_;
  std::vector<std::int64_t> links_;  // documents
  std::int64_t negatives_per_query_ = 0;
  std::int64_t max_seq_length_ = 0;
  std::int64_t skipped_of_queries_ = 0;  // first tokens that pooling leaves out
  std::int64_t skipped_of_documents_ = 0;
  std::unique_ptr<CutTexts> cut_ = std::make_unique<CutTexts>();
};

}  // namespace sgpt
