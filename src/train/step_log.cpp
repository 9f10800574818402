#include "train/step_log.h"

#include <fmt/format.h>

namespace sgpt {

StepLog::StepLog(const std::filesystem::path& path, std::int64_t first_step) {
  if (!path.empty()) lines_.emplace(path, first_step, "--log_file ");
}

void StepLog::write(const TrainStep& step) {
  if (!lines_) return;
  lines_->write(fmt::format(
      R"({{"step": {}, "loss": {}, "gradient_norm": {}, "lr": {}, "tokens": {}, "tokens_per_second": {:.1f}}})",
      step.step, step.loss, step.gradient_norm, step.learning_rate, step.tokens, step.tokens_per_second));
}

}  // namespace sgpt
