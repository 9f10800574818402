#include "train/step_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sgpt/error.h"

namespace sgpt {
namespace {

/// Where the last whole line of a step before `first_step` ends. Broken lines before it are left where they are.
std::int64_t end_of_steps_before(const std::filesystem::path& path, std::int64_t first_step) {
  std::ifstream in(path);
  std::int64_t end = 0;
  std::int64_t read = 0;
  for (std::string line; std::getline(in, line) && !in.eof();) {
    read += std::ssize(line) + 1;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    if (json["step"].get<std::int64_t>() >= first_step) break;
    end = read;
  }
  return end;
}

}  // namespace

std::string step_line(const TrainStep& step) {
  return fmt::format(
      R"({{"step": {}, "loss": {}, "gradient_norm": {}, "lr": {}, "tokens": {}, "tokens_per_second": {:.1f}}})",
      step.step, step.loss, step.gradient_norm, step.learning_rate, step.tokens, step.tokens_per_second);
}

StepLines::StepLines(const std::filesystem::path& path, std::int64_t first_step, std::string_view option) try
    : file_(path == "-" ? File(::dup(STDOUT_FILENO), "standard output")
                        : File::open(path, O_WRONLY | O_CREAT | O_APPEND, "cannot be written")) {
  if (!S_ISREG(file_.status().st_mode) || path == "-") return;  // a pipe, a terminal: nothing stands there yet
  if (!file_.try_lock()) {
    throw UserError(fmt::format("{} is being written by another training run: name another file", path.string()));
  }
  file_.resize(first_step > 0 ? end_of_steps_before(path, first_step) : 0);
} catch (const UserError& error) {
  throw UserError(fmt::format("{}{}", option, error.what()));
}

void StepLines::write(std::string_view line) {
  if (file_) file_.write_all(fmt::format("{}\n", line));
}

}  // namespace sgpt
