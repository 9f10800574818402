// Requests for the work side, without texts and models.
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "serve/batch_queue.h"
#include "serve/work.h"

namespace sgpt::serve::testing {

/// A time that a test sets: so many milliseconds after some beginning.
inline Clock::time_point at(std::int64_t milliseconds) {
  return Clock::time_point(std::chrono::hours(1000)) + std::chrono::milliseconds(milliseconds);
}

/// An input of so many tokens that equals no other of another name.
inline Input input(std::int32_t name, std::int64_t tokens) {
  Input made;
  made.ids.assign(static_cast<std::size_t>(tokens), 7);
  made.ids.front() = name;
  return made;
}

inline WorkRequest request(std::vector<Input> inputs) { return {.inputs = std::move(inputs)}; }

inline Row row_of(float value) { return std::make_shared<const std::vector<float>>(1, value); }

inline std::vector<Row> nothing_known(std::size_t inputs) { return std::vector<Row>(inputs); }

/// Adds a request of which nothing is in a cache.
inline TicketId add(BatchQueue& queue, std::vector<Input> inputs, std::int64_t now = 0) {
  const std::size_t count = inputs.size();
  return queue.add(request(std::move(inputs)), nothing_known(count), at(now));
}

}  // namespace sgpt::serve::testing
