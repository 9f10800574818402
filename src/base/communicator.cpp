#include "base/communicator.h"

#include <algorithm>
#include <cstring>

#include "base/communicator_alone.h"

namespace sgpt {
namespace {

template <class Number>
std::vector<Number> gathered(Communicator& ranks, Number mine) {
  std::vector<Number> all;
  for (const std::string& bytes :
       ranks.all_gather(std::string_view(reinterpret_cast<const char*>(&mine), sizeof mine))) {
    std::memcpy(&all.emplace_back(), bytes.data(), sizeof(Number));
  }
  return all;
}

}  // namespace

// Each rank sums an even share of the numbers and hands the sums round: what a ring sends, and in a fixed order.
void Communicator::all_reduce_sum(std::span<float> values) {
  if (alone()) return;
  constexpr std::int64_t kAtOnce = std::int64_t{1} << 24;  // bounds the memory for what comes in
  std::vector<std::int64_t> counts(static_cast<std::size_t>(size()));
  std::vector<float> sums;
  for (std::int64_t first = 0; first < std::ssize(values); first += kAtOnce) {
    const std::int64_t count = std::min(kAtOnce, std::ssize(values) - first);
    const std::span<float> piece = values.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    for (int r = 0; r < size(); ++r) {
      counts[static_cast<std::size_t>(r)] = even_share(count, r + 1, size()) - even_share(count, r, size());
    }
    sums.resize(static_cast<std::size_t>(counts[static_cast<std::size_t>(rank())]));
    reduce_scatter_sum(piece, counts, sums);
    all_gather(sums, counts, piece);
  }
}

std::vector<std::int64_t> Communicator::all_gather(std::int64_t mine) { return gathered(*this, mine); }
std::vector<double> Communicator::all_gather(double mine) { return gathered(*this, mine); }

Communicator& this_process_alone() {
  static CommunicatorAlone alone;  // has no state
  return alone;
}

}  // namespace sgpt
