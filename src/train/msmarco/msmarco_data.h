// Training data from the MS MARCO files, as train_bi-encoder_mnrl.py reads them: passages stay in their file, and only
// the texts of the batch at hand are read and tokenised.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "encode/cut_texts.h"
#include "encode/text_preparation.h"
#include "sgpt/trainer.h"
#include "train/msmarco/collection.h"
#include "train/msmarco/example_table.h"
#include "train/msmarco/folder.h"
#include "train/training_set.h"

namespace sgpt {

class MsMarcoData : public TrainingSet {
 public:
  struct Options {
    MsMarcoOptions selection;
    std::int64_t max_examples = 0;  ///< only the first so many; 0: all
    std::uint64_t seed = 0;         ///< of the order of each query's negatives
  };

  /// On first use the passages are indexed and the examples selected; what was found is kept beside the files, and made
  /// anew when one of them, or an option of the selection, changes. `preparation` must outlive it. Throws UserError
  /// naming the file that is missing or broken, and the place.
  MsMarcoData(const TextPreparation& preparation, Options options);

  std::int64_t size() const override { return size_; }
  std::int64_t negatives_per_query() const override { return 1; }
  /// Of the files' sizes and the selection; the passages themselves are too many to be read for it.
  std::uint64_t fingerprint() const override;

  /// Of each example the positive and the negative whose turn it is: the positives in the order of the file, the
  /// negatives in one drawn with the seed. The turn is computed from the number of the visit, so that a run can be
  /// taken up at any visit. A query without a negative (--use_all_queries) gets a random passage that is no positive of
  /// its.
  TrainingBatch batch(std::span<const std::int64_t> examples, std::int64_t visit) const override;
  void texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const override;

  struct Rows {
    std::uint32_t positive;
    std::uint32_t negative;
    friend bool operator==(const Rows&, const Rows&) = default;
  };
  /// The passages of an example at a visit, by their rows in the collection.
  Rows rows(std::int64_t example, std::int64_t visit) const;

  const Collection& collection() const { return collection_; }
  void tell_cut_texts() const override { cut_.tell(preparation_.max_seq_length()); }

 private:
  std::uint32_t negative(std::int64_t number, std::int64_t visit) const;

  const TextPreparation& preparation_;
  Options options_;
  MsMarcoFolder folder_;
  Collection collection_;
  MappedFile queries_;
  ExampleTable examples_;
  std::int64_t size_;
  mutable CutTexts cut_;  // of the batches so far
};

}  // namespace sgpt
