// How the learning rate goes over the steps of a run: the schedules of sentence-transformers' `fit`, by their names
// there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sgpt {

enum class Schedule { constant, warmup_constant, warmup_linear, warmup_cosine, warmup_cosine_with_hard_restarts };

/// "constantlr", "warmupconstant", "warmuplinear", "warmupcosine", "warmupcosinewithhardrestarts", in any case.
std::optional<Schedule> schedule_from(std::string_view name);
std::vector<std::string_view> schedule_names();

/// What the learning rate is multiplied with at `step` (from 0). Under warm-up step 0 has 0.
double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t warmup_steps, std::int64_t total_steps);

}  // namespace sgpt
