// What those who answer requests and those who compute say to each other: the first know no model, the second no HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace sgpt::serve {

using Clock = std::chrono::steady_clock;
inline constexpr Clock::time_point kNever = Clock::time_point::max();

/// A text as the model sees it. Equal inputs have equal embeddings, bit for bit, whatever their company.
struct Input {
  std::vector<std::int32_t> ids;  ///< never empty
  std::int64_t skipped = 0;       ///< first tokens that pooling leaves out

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  bool operator==(const Input&) const = default;
};

struct InputHash {
  std::size_t operator()(const Input& input) const;
};

/// An embedding before it is cut and normalised; shared by the cache and all who asked for it.
using Row = std::shared_ptr<const std::vector<float>>;

enum class Outcome {
  done,
  not_finite,  ///< the embedding of input `place`
  expired,     ///< the deadline passed before it was computed
  stopped,     ///< the server ends
  failed,      ///< `why`
};

struct WorkResult {
  Outcome outcome = Outcome::done;
  std::vector<Row> rows = {};  ///< one an input, when done
  std::size_t place = 0;
  std::string why = {};
  std::size_t cached = 0;      ///< inputs that were not computed for this request
  Clock::duration queued{};    ///< until the first of its inputs was taken
  Clock::duration computed{};  ///< from then on
};

struct WorkRequest {
  std::vector<Input> inputs;  ///< at least one
  Clock::time_point deadline = kNever;
  std::function<void(WorkResult)> done = {};  ///< called once unless cancelled, on any thread; must be quick
};

/// Why a request is not even begun.
struct Refusal {
  enum class Why { too_long_a_wait, stopping } why;
  Clock::duration expected{};  ///< until it would have begun
};

using TicketId = std::uint64_t;

/// Thread-safe.
class Work {
 public:
  virtual ~Work() = default;
  virtual std::variant<TicketId, Refusal> submit(WorkRequest request) = 0;
  /// What waits is not computed; what is being computed is thrown away. `done` is not called any more, unless it is
  /// being called at this moment.
  virtual void cancel(TicketId ticket) = 0;
};

}  // namespace sgpt::serve
