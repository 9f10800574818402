#include "train/batch_order.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/random.h"

namespace sgpt {
namespace {

/// The texts of the examples that a step has.
class TextsOfStep {
 public:
  /// Adds an example's texts, or none of them and returns false when one is there already.
  bool add(std::span<const std::uint64_t> texts) {
    if (std::any_of(texts.begin(), texts.end(), [&](std::uint64_t text) { return seen_.contains(text); })) return false;
    seen_.insert(texts.begin(), texts.end());
    return true;
  }

 private:
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace

BatchOrder::BatchOrder(std::int64_t examples, const Options& options)
    : options_(options), examples_(examples), a_step_(options.batch_size * options.ranks) {}

std::int64_t BatchOrder::batches() const { return examples_ / a_step_ + (examples_ % a_step_ != 0); }

std::span<const std::int64_t> BatchOrder::of_all_ranks(std::int64_t step) {
  arrange(step / batches());
  const auto number = static_cast<std::size_t>(step % batches());
  const auto begin = static_cast<std::size_t>(begin_[number]);
  return std::span(order_).subspan(begin, static_cast<std::size_t>(begin_[number + 1]) - begin);
}

BatchOrder::Batch BatchOrder::batch(std::int64_t step) {
  const std::span<const std::int64_t> all = of_all_ranks(step);
  const std::int64_t first = std::min(options_.rank * options_.batch_size, std::ssize(all));
  const std::int64_t count = std::min(options_.batch_size, std::ssize(all) - first);
  return {all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), pass_};
}

std::int64_t BatchOrder::with_wrong_negatives(std::int64_t step) {
  std::vector<std::vector<std::uint64_t>> examples;
  std::unordered_map<std::uint64_t, std::int64_t> holders;  // examples that have a text
  for (const std::int64_t example : of_all_ranks(step)) {
    std::vector<std::uint64_t>& texts = examples.emplace_back();
    options_.texts(example, pass_, texts);
    for (const std::uint64_t text : std::set(texts.begin(), texts.end())) ++holders[text];
  }
  return std::count_if(examples.begin(), examples.end(),
                       [&](const auto& texts) { return holders[texts[0]] > 1 || holders[texts[1]] > 1; });
}

std::int64_t BatchOrder::left_over(std::int64_t pass) {
  arrange(pass);
  return examples_ - begin_.back();
}

void BatchOrder::arrange(std::int64_t pass) {
  if (pass == pass_) return;
  pass_ = pass;
  order_.resize(static_cast<std::size_t>(examples_));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (options_.shuffle) {
    Random random(options_.seed, static_cast<std::uint64_t>(pass));
    random.shuffle(std::span(order_));
  }
  if (options_.no_duplicates) return part_duplicates();
  begin_.clear();
  for (std::int64_t begin = 0; begin < examples_; begin += a_step_) begin_.push_back(begin);
  begin_.push_back(examples_);
}

/// Arranges the order anew, so that no step has a text twice.
void BatchOrder::part_duplicates() {
  std::vector<std::uint64_t> hashes;  // of order_[i], as many for each
  for (const std::int64_t example : order_) options_.texts(example, pass_, hashes);
  const std::size_t width = hashes.size() / std::max<std::size_t>(1, order_.size());

  std::vector<std::int64_t> arranged;
  begin_.assign(1, 0);
  std::vector<std::size_t> waiting;  // places in order_ that were passed over, ascending
  std::size_t next = 0;
  for (std::int64_t step = 0; step < batches(); ++step) {
    TextsOfStep texts;
    std::int64_t taken = 0;
    std::vector<std::size_t> still_waiting;
    const auto offer = [&](std::size_t place) {
      if (taken == a_step_ || !texts.add(std::span(hashes).subspan(place * width, width))) {
        still_waiting.push_back(place);
      } else {
        arranged.push_back(order_[place]);
        ++taken;
      }
    };
    for (const std::size_t place : waiting) offer(place);
    while (next < order_.size() && taken < a_step_) offer(next++);
    waiting = std::move(still_waiting);
    begin_.push_back(std::ssize(arranged));
  }
  order_ = std::move(arranged);
}

}  // namespace sgpt
