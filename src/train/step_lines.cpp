#include "train/step_lines.h"

#include <string>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// Up to a line that a killed run left broken.
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

StepLines::StepLines(const std::filesystem::path& path, std::int64_t first_step, std::string_view option)
    : path_(path) {
  std::error_code none;
  const bool continued = first_step > 0 && std::filesystem::is_regular_file(path, none);  // and no pipe or device
  if (continued) write_file(path, lines_before(path, first_step));
  out_.open(path, continued ? std::ios::app : std::ios::trunc);
  if (!out_) {
    throw UserError(
        fmt::format("{}{} cannot be written: name a file in a folder that is there", option, path.string()));
  }
}

void StepLines::write(std::string_view line) {
  out_ << line << std::endl;
  if (!out_) throw MachineError(fmt::format("{}: writing failed; is the disk full?", path_.string()));
}

}  // namespace sgpt
