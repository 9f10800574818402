#include "train/schedule.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

namespace sgpt {
namespace {

constexpr std::array<std::pair<std::string_view, Schedule>, 5> kNames{{
    {"constantlr", Schedule::constant},
    {"warmupconstant", Schedule::warmup_constant},
    {"warmuplinear", Schedule::warmup_linear},
    {"warmupcosine", Schedule::warmup_cosine},
    {"warmupcosinewithhardrestarts", Schedule::warmup_cosine_with_hard_restarts},
}};

double half_cosine(double phase) { return 0.5 * (1.0 + std::cos(std::numbers::pi * phase)); }

}  // namespace

std::optional<Schedule> schedule_from(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto& [known, schedule] : kNames) {
    if (lower == known) return schedule;
  }
  return std::nullopt;
}

std::vector<std::string_view> schedule_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, schedule] : kNames) names.push_back(name);
  return names;
}

double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t warmup_steps, std::int64_t total_steps) {
  if (schedule == Schedule::constant) return 1;
  if (step < warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (schedule == Schedule::warmup_constant) return 1;
  const auto decay_steps = static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup_steps));
  if (schedule == Schedule::warmup_linear) {
    return std::max(0.0, static_cast<double>(total_steps - step) / decay_steps);
  }
  const double progress = static_cast<double>(step - warmup_steps) / decay_steps;
  if (schedule == Schedule::warmup_cosine) return half_cosine(progress);
  // One cycle, which is what sentence-transformers asks transformers for: it differs from warmupcosine past the end.
  return progress >= 1 ? 0 : half_cosine(std::fmod(progress, 1.0));
}

}  // namespace sgpt
