#include "train/exchange.h"

#include <vector>

#include "tensor/memory.h"

namespace sgpt {
namespace {

/// The numbers of a matrix where the ranks can take them: the matrix itself when it lies in the machine's own memory,
/// a copy otherwise.
class OnHost {
 public:
  enum class Use { read, write, both };

  OnHost(Backend& backend, Matrix device, Use use) : backend_(backend), device_(device), use_(use) {
    if (&backend.memory() == &host_memory()) {
      values_ = {device.f32(), static_cast<std::size_t>(device.size())};
      use_ = Use::read;
      return;
    }
    copy_.resize(static_cast<std::size_t>(device.size()));
    values_ = copy_;
    if (use != Use::write) backend.download(device, {copy_.data(), device.rows, device.cols});
  }
  ~OnHost() {
    if (use_ != Use::read) backend_.upload({copy_.data(), device_.rows, device_.cols}, device_);
  }
  OnHost(const OnHost&) = delete;
  OnHost& operator=(const OnHost&) = delete;

  std::span<float> values() { return values_; }

 private:
  Backend& backend_;
  Matrix device_;
  Use use_;
  std::vector<float> copy_;
  std::span<float> values_;
};

/// For OnHost, which only reads it.
Matrix readable(ConstMatrix m) { return {const_cast<void*>(m.data), m.rows, m.cols, m.type}; }

std::vector<std::int64_t> numbers(std::span<const std::int64_t> rows, std::int64_t cols) {
  std::vector<std::int64_t> counts(rows.begin(), rows.end());
  for (std::int64_t& count : counts) count *= cols;
  return counts;
}

}  // namespace

void gather_from_ranks(Communicator& ranks, Backend& backend, ConstMatrix mine, std::span<const std::int64_t> rows,
                       Matrix all) {
  OnHost from(backend, readable(mine), OnHost::Use::read);
  OnHost to(backend, all, OnHost::Use::write);
  ranks.all_gather(from.values(), numbers(rows, mine.cols), to.values());
}

void sum_own_rows(Communicator& ranks, Backend& backend, ConstMatrix all, std::span<const std::int64_t> rows,
                  Matrix mine) {
  OnHost from(backend, readable(all), OnHost::Use::read);
  OnHost to(backend, mine, OnHost::Use::write);
  ranks.reduce_scatter_sum(from.values(), numbers(rows, all.cols), to.values());
}

void sum_over_ranks(Communicator& ranks, Backend& backend, Matrix values) {
  if (ranks.alone()) return;
  OnHost host(backend, values, OnHost::Use::both);
  ranks.all_reduce_sum(host.values());
}

void broadcast(Communicator& ranks, Backend& backend, Matrix values) {
  if (ranks.alone()) return;
  OnHost host(backend, values, OnHost::Use::both);
  ranks.broadcast(std::as_writable_bytes(host.values()));
}

}  // namespace sgpt
