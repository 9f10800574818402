#include "train/nli/nli_data.h"

#include <utility>

#include <xxhash.h>

#include "base/parallel.h"
#include "base/random.h"
#include "text/lower_case.h"

namespace sgpt {
namespace {

std::uint64_t folded_hash(const std::string& stripped) {
  const std::string lower = lower_case(std::string_view(stripped));
  return XXH3_64bits(lower.data(), lower.size());
}

std::uint32_t one_of(const std::vector<std::uint32_t>& set, Random& random) {
  return set[random.below(static_cast<std::uint32_t>(set.size()))];
}

}  // namespace

NliData::NliData(const TextPreparation& preparation, NliAnchors anchors, const Options& options)
    : preparation_(preparation), fingerprint_(anchors.fingerprint()), sentences_(std::move(anchors.sentences)) {
  const auto full = [&] { return options.max_examples > 0 && size() >= options.max_examples; };
  Random random(options.seed, options.drawing);
  for (const auto& [sentence, entailments, contradictions] : anchors.anchors) {
    const std::uint32_t entailment = one_of(entailments, random);
    const std::uint32_t contradiction = one_of(contradictions, random);
    const std::uint32_t other_entailment = one_of(entailments, random);
    const std::uint32_t other_contradiction = one_of(contradictions, random);
    if (full()) break;
    triplets_.push_back({sentence, entailment, contradiction});
    if (full()) break;
    triplets_.push_back({other_entailment, sentence, other_contradiction});
  }
  hashes_.resize(sentences_.size());
  parallel_tasks(std::ssize(sentences_), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    hashes_[i] = folded_hash(sentences_[i]);
  });
}

std::array<std::string, 3> NliData::texts(std::int64_t example) const {
  const Triplet& triplet = triplets_[static_cast<std::size_t>(example)];
  return {sentences_[triplet[0]], sentences_[triplet[1]], sentences_[triplet[2]]};
}

TrainingBatch NliData::batch(std::span<const std::int64_t> examples, std::int64_t /*visit*/) const {
  TrainingBatch batch;
  batch.columns.resize(3);
  std::vector<std::string> sentences;
  for (std::size_t column = 0; column < batch.columns.size(); ++column) {
    sentences.clear();
    for (const std::int64_t example : examples) {
      sentences.push_back(sentences_[triplets_[static_cast<std::size_t>(example)][column]]);
    }
    // A text is its own place: a file of a million lines is searched for it at once.
    const PreparedTexts prepared =
        preparation_.prepare(sentences, column == 0 ? TextKind::query : TextKind::document, sentences);
    cut_.add(sentences.size(), prepared.cut, sentences);
    for (const TokenIds& ids : prepared.ids) batch.columns[column].add(ids, prepared.skipped);
  }
  return batch;
}

void NliData::texts(std::int64_t example, std::int64_t /*visit*/, std::vector<std::uint64_t>& hashes) const {
  for (const std::uint32_t sentence : triplets_[static_cast<std::size_t>(example)]) hashes.push_back(hashes_[sentence]);
}

}  // namespace sgpt
