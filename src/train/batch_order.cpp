#include "train/batch_order.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace sgpt {

BatchOrder::BatchOrder(std::int64_t examples, const Options& options)
    : options_(options), order_(static_cast<std::size_t>(examples)) {}

std::int64_t BatchOrder::batches() const {
  const auto examples = static_cast<std::int64_t>(order_.size());
  const std::int64_t a_step = options_.batch_size * options_.ranks;
  return examples / a_step + (examples % a_step != 0);
}

BatchOrder::Batch BatchOrder::batch(std::int64_t step) {
  const std::int64_t pass = step / batches();
  if (pass != pass_) arrange(pass);
  const auto examples = static_cast<std::int64_t>(order_.size());
  const std::int64_t number = step % batches() * options_.ranks + options_.rank;
  const std::int64_t first = std::min(number * options_.batch_size, examples);
  const std::int64_t count = std::min(options_.batch_size, examples - first);
  return {std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), pass};
}

void BatchOrder::arrange(std::int64_t pass) {
  pass_ = pass;
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (!options_.shuffle) return;
  Random random(options_.seed, static_cast<std::uint64_t>(pass));
  random.shuffle(std::span(order_));
}

}  // namespace sgpt
