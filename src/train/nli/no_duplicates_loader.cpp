#include "train/nli/no_duplicates_loader.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"
#include "sgpt/error.h"

namespace sgpt {

NoDuplicatesLoader::NoDuplicatesLoader(std::int64_t examples, Options options)
    : options_(std::move(options)),
      examples_(examples),
      at_once_(options_.batch_size * (options_.shared ? options_.ranks : 1)) {
  if (examples_ < at_once_) {
    throw UserError(
        fmt::format("{}: no batch can be filled: it has {} training examples, but {} are taken at once; use a smaller "
                    "--train_batch_size",
                    options_.source, examples_, at_once_));
  }
  rewind();
}

void NoDuplicatesLoader::rewind() {
  next_ = place_ = pass_ = 0;
  shuffle_list();
}

/// Anew for each pass and, unless they share it, for each rank.
void NoDuplicatesLoader::shuffle_list() {
  list_.resize(static_cast<std::size_t>(examples_));
  std::iota(list_.begin(), list_.end(), std::int64_t{0});
  if (!options_.shuffle) return;
  const auto rank = static_cast<std::uint64_t>(options_.shared ? 0 : options_.rank);
  Random random(options_.seed, rank << 32 | static_cast<std::uint64_t>(pass_));
  random.shuffle(std::span(list_));
}

bool NoDuplicatesLoader::take(std::int64_t example, std::unordered_set<std::uint64_t>& texts) {
  hashes_.clear();
  options_.texts(example, hashes_);
  if (std::any_of(hashes_.begin(), hashes_.end(), [&](std::uint64_t text) { return texts.contains(text); })) {
    return false;
  }
  texts.insert(hashes_.begin(), hashes_.end());
  batch_.push_back(example);
  return true;
}

void NoDuplicatesLoader::fill() {
  batch_.clear();
  std::unordered_set<std::uint64_t> texts;
  std::int64_t passed_over = 0;  // since the last one that was taken
  while (std::ssize(batch_) < at_once_) {
    passed_over = take(list_[static_cast<std::size_t>(place_)], texts) ? 0 : passed_over + 1;
    if (passed_over == 2 * examples_) {  // the whole of a list is among them
      throw UserError(
          fmt::format("{}: no batch of {} can be filled in which no text stands twice: after {} examples every other "
                      "one shares a text with them; use a smaller --train_batch_size",
                      options_.source, at_once_, batch_.size()));
    }
    if (++place_ < examples_) continue;
    place_ = 0;
    ++pass_;
    shuffle_list();
  }
  ++next_;
}

BatchSource::Batch NoDuplicatesLoader::batch(std::int64_t number) {
  if (number + 1 < next_) rewind();
  while (next_ <= number) fill();
  const auto size = static_cast<std::size_t>(options_.batch_size);
  const auto first = options_.shared ? static_cast<std::size_t>(options_.rank) * size : std::size_t{0};
  return {std::span(batch_).subspan(first, size), 0};
}

void NoDuplicatesLoader::require_batches(std::int64_t count) {
  if (count > 0) batch(count - 1);
}

}  // namespace sgpt
