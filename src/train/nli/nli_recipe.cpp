#include "train/nli/nli_recipe.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "train/nli/nli_anchors.h"
#include "train/nli/nli_data.h"
#include "train/nli/no_duplicates_loader.h"

namespace sgpt {
namespace {

/// A stream of random numbers that no shuffling of any rank uses (NoDuplicatesLoader counts passes in the lower half).
std::uint64_t drawing_of(std::int64_t rank) { return static_cast<std::uint64_t>(rank) << 32 | 0xffffffffu; }

}  // namespace

std::unique_ptr<const TrainingSet> open_nli_data(const TrainOptions& options, const TextPreparation& preparation,
                                                 const Communicator& ranks) {
  NliAnchors anchors = read_nli_anchors(options.nli->file);
  const std::size_t sentences = anchors.sentences.size();
  auto data = std::make_unique<NliData>(
      preparation, std::move(anchors),
      NliData::Options{.max_examples = options.train_dataset_max_size,
                       .seed = options.seed,
                       .drawing = drawing_of(options.nli->share_examples ? 0 : ranks.rank())});
  if (ranks.first()) {
    log::info(
        fmt::format("{}: {} sentences, {} training examples", options.nli->file.string(), sentences, data->size()));
  }
  return data;
}

std::unique_ptr<BatchSource> open_nli_batches(const TrainOptions& options, const TrainingSet& data,
                                              const Communicator& ranks) {
  auto loader = std::make_unique<NoDuplicatesLoader>(
      data.size(), NoDuplicatesLoader::Options{
                       .batch_size = options.batch_size,
                       .shuffle = options.shuffle,
                       .seed = options.seed,
                       .rank = ranks.rank(),
                       .ranks = ranks.size(),
                       .shared = options.nli->share_examples,
                       .texts = [&data](std::int64_t example,
                                        std::vector<std::uint64_t>& hashes) { data.texts(example, 0, hashes); },
                       .source = options.nli->file.string()});
  const std::int64_t steps = options.steps_per_epoch * options.gradient_accumulation;
  loader->require_batches((steps > 0 ? steps : loader->batches()) * options.epochs);
  return loader;
}

std::optional<StsDev> open_dev_pairs(const TrainOptions& options, const ModelFolder& settings,
                                     const TextPreparation& preparation) {
  if (!options.nli || options.nli->sts.empty()) return std::nullopt;
  return StsDev(read_sts(options.nli->sts, "dev"), preparation,
                {.pooling = options.pooling, .normalize = settings.normalize});
}

void settle_evaluation_steps(TrainOptions& options, std::int64_t steps_per_epoch) {
  if (options.nli->evaluation_steps) return;
  options.nli->evaluation_steps = steps_per_epoch / 10;
}

}  // namespace sgpt
