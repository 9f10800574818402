#include "train/step_log.h"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The lines of the steps before `first_step`, up to one that a killed run left broken.
std::string lines_before(const std::filesystem::path& path, std::int64_t first_step) {
  std::ifstream in(path);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const bool whole = json.is_object() && json.contains("step") && json["step"].is_number_integer();
    if (!whole || json["step"].get<std::int64_t>() >= first_step) break;
    kept += line + "\n";
  }
  return kept;
}

}  // namespace

StepLog::StepLog(const std::filesystem::path& path, std::int64_t first_step) : path_(path) {
  if (path.empty()) return;
  if (std::error_code none; first_step > 0 && std::filesystem::is_regular_file(path, none)) {
    write_file(path, lines_before(path, first_step));
    out_.open(path, std::ios::app);
  } else {
    out_.open(path, std::ios::trunc);
  }
  if (!out_) {
    throw UserError(fmt::format("{} cannot be written: give --log_file in a folder that is there", path.string()));
  }
}

void StepLog::write(const TrainStep& step) {
  if (path_.empty()) return;
  out_ << fmt::format(
              R"({{"step": {}, "loss": {}, "gradient_norm": {}, "lr": {}, "tokens": {}, "tokens_per_second": {:.1f}}})",
              step.step, step.loss, step.gradient_norm, step.learning_rate, step.tokens, step.tokens_per_second)
       << std::endl;
  if (!out_) throw MachineError(fmt::format("{}: writing failed; is the disk full?", path_.string()));
}

}  // namespace sgpt
