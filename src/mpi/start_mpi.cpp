#include "mpi/start_mpi.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <mpi.h>

#include "sgpt/error.h"

namespace sgpt {

namespace {

/// MPI counts with int.
int as_int(std::int64_t count) {
  if (count > INT_MAX) {
    throw MachineError(
        fmt::format("{} numbers in one exchange between ranks are too many for MPI: use a smaller batch "
                    "or fewer ranks",
                    count));
  }
  return static_cast<int>(count);
}

/// Counts and where each one's numbers begin, as MPI wants them.
struct Layout {
  std::vector<int> counts;
  std::vector<int> begins;

  explicit Layout(std::span<const std::int64_t> sizes) {
    std::int64_t begin = 0;
    for (const std::int64_t size : sizes) {
      counts.push_back(as_int(size));
      begins.push_back(as_int(begin));
      begin += size;
    }
    as_int(begin);
  }
};

/// All processes of MPI_COMM_WORLD. MPI itself ends the job when a call fails (MPI_ERRORS_ARE_FATAL).
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    if (provided < MPI_THREAD_FUNNELED) throw MachineError("this MPI does not allow threads in a process");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm local;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local);
    MPI_Comm_size(local, &local_size_);
    MPI_Comm_free(&local);
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  using Communicator::all_gather;
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_size() const override { return local_size_; }

  void all_gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) override {
    const Layout layout(counts);
    MPI_Allgatherv(mine.data(), as_int(std::ssize(mine)), MPI_FLOAT, all.data(), layout.counts.data(),
                   layout.begins.data(), MPI_FLOAT, MPI_COMM_WORLD);
  }

  void gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) override {
    const Layout layout(counts);
    MPI_Gatherv(mine.data(), as_int(std::ssize(mine)), MPI_FLOAT, all.data(), layout.counts.data(),
                layout.begins.data(), MPI_FLOAT, 0, MPI_COMM_WORLD);
  }

  // MPI's own reductions may sum in another order each time; here every rank's part of the own piece is fetched, and
  // they are summed in the order of ranks. The bytes on the wire are the same.
  void reduce_scatter_sum(std::span<const float> all, std::span<const std::int64_t> counts,
                          std::span<float> mine) override {
    const Layout sent(counts);
    const Layout received(std::vector<std::int64_t>(static_cast<std::size_t>(size_), std::ssize(mine)));
    incoming_.resize(mine.size() * static_cast<std::size_t>(size_));
    MPI_Alltoallv(all.data(), sent.counts.data(), sent.begins.data(), MPI_FLOAT, incoming_.data(),
                  received.counts.data(), received.begins.data(), MPI_FLOAT, MPI_COMM_WORLD);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      double sum = 0;
      for (std::size_t part = i; part < incoming_.size(); part += mine.size()) sum += incoming_[part];
      mine[i] = static_cast<float>(sum);
    }
  }

  std::vector<std::string> all_gather(std::string_view mine) override {
    const auto length = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(size_));
    MPI_Allgather(&length, 1, MPI_INT64_T, lengths.data(), 1, MPI_INT64_T, MPI_COMM_WORLD);
    const Layout layout(lengths);
    std::string together(static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})), 0);
    MPI_Allgatherv(mine.data(), as_int(length), MPI_BYTE, together.data(), layout.counts.data(), layout.begins.data(),
                   MPI_BYTE, MPI_COMM_WORLD);
    std::vector<std::string> all;
    for (std::size_t r = 0; r < lengths.size(); ++r) {
      all.push_back(together.substr(static_cast<std::size_t>(layout.begins[r]), static_cast<std::size_t>(lengths[r])));
    }
    return all;
  }

  void broadcast(std::span<std::byte> bytes) override {
    constexpr std::size_t kAtOnce = std::size_t{1} << 30;
    for (std::size_t first = 0; first < bytes.size(); first += kAtOnce) {
      const std::span<std::byte> piece = bytes.subspan(first, std::min(kAtOnce, bytes.size() - first));
      MPI_Bcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
    }
  }

  void barrier() override { MPI_Barrier(MPI_COMM_WORLD); }

  void abort(int status) override {
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
  }

 private:
  int rank_ = 0;
  int size_ = 1;
  int local_size_ = 1;
  std::vector<float> incoming_;
};

}  // namespace

std::unique_ptr<Communicator> start_mpi() { return std::make_unique<MpiCommunicator>(); }

}  // namespace sgpt
