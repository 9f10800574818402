#include "train/run_checkpoints.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/atomic_folder.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "formats/model_files.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "train/dev_selection.h"
#include "train/parameter_tensor.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr std::string_view kTrained = "trained.safetensors";
constexpr std::string_view kMoments = "moments.safetensors";
constexpr std::string_view kBest = "best.safetensors";
constexpr std::string_view kState = "state.json";
constexpr std::string_view kStep = "step-";

std::string first_moment_of(std::string_view name) { return fmt::format("{}.first_moment", name); }
std::string second_moment_of(std::string_view name) { return fmt::format("{}.second_moment", name); }

std::string checksum_of(std::span<const std::byte> bytes) {
  return fingerprint_text(XXH3_64bits(bytes.data(), bytes.size()));
}
std::string checksum_of(std::string_view text) { return checksum_of(std::as_bytes(std::span(text))); }

Json file_entry(const fs::path& path) {
  const MappedFile file(path);
  return {{"bytes", file.bytes().size()}, {"xxh3", checksum_of(file.bytes())}};
}

/// The numbers of `parameter` in a row that lies as the trained values do.
Matrix same_place(const Decoder& model, const Parameter& parameter, Matrix row) {
  const auto begin =
      static_cast<std::size_t>(parameter.value.f32() - static_cast<const float*>(model.trained_values().data));
  return {row.f32() + begin, parameter.info.rows, parameter.info.cols};
}

void write_best(const AtomicFolder& folder, const Decoder& model, const DevSelection& dev) {
  std::vector<TensorToWrite> best;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trained()) continue;
    best.push_back(
        parameter_tensor(model, parameter, parameter.info.name, same_place(model, parameter, dev.best_values())));
  }
  write_safetensors(folder / kBest, best);
}

/// The scores, a list [epoch, steps, eight correlations] each; null stands for a correlation that is none.
Json dev_json(const DevSelection& dev) {
  Json rows = Json::array();
  for (const StsRow& row : dev.rows()) {
    Json numbers{row.epoch, row.steps};
    for (const auto& [name, value] : row.result.named()) numbers.push_back(value);
    rows.push_back(std::move(numbers));
  }
  return {{"best_step", dev.best_step()}, {"rows", std::move(rows)}};
}

std::vector<StsRow> dev_rows(const Json& json) {
  std::vector<StsRow> rows;
  for (const Json& numbers : json.at("rows")) {
    const auto number = [&](std::size_t i) {
      return numbers.at(i).is_null() ? std::numeric_limits<double>::quiet_NaN() : numbers.at(i).get<double>();
    };
    const auto both = [&](std::size_t i) { return StsCorrelations{number(i), number(i + 1)}; };
    rows.push_back({.epoch = numbers.at(0).get<std::int64_t>(),
                    .steps = numbers.at(1).get<std::int64_t>(),
                    .result = {.cosine = both(2), .euclidean = both(4), .manhattan = both(6), .dot = both(8)}});
  }
  return rows;
}

void write_tensors(const AtomicFolder& folder, const Decoder& model, const TrainerState& state) {
  std::vector<TensorToWrite> trained;
  std::vector<TensorToWrite> moments;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trained()) continue;
    const std::string& name = parameter.info.name;
    trained.push_back(parameter_tensor(model, parameter, name, parameter.value));
    moments.push_back(
        parameter_tensor(model, parameter, first_moment_of(name), same_place(model, parameter, state.first_moment)));
    moments.push_back(
        parameter_tensor(model, parameter, second_moment_of(name), same_place(model, parameter, state.second_moment)));
  }
  write_safetensors(folder / kTrained, trained);
  write_safetensors(folder / kMoments, moments);
}

Json state_json(const RunPosition& position, const RunFacts& facts, const RunCheckpoints::Options& options) {
  Json run = Json::object();
  for (const auto& [name, value] : facts) run[name] = value;
  return {{"format", kFormat},
          {"step", position.step},
          {"total_steps", position.total_steps},
          {"epoch", position.epoch},
          {"step_in_epoch", position.step_in_epoch},
          {"order",
           {{"generator", "pcg32"}, {"seed", position.seed}, {"pass", position.pass}, {"batches", position.batches}}},
          {"base_model", options.base_model.string()},
          {"command", options.command},
          {"program", program_and_version()},
          {"run", run}};
}

RunPosition position_of(const Json& state) {
  const auto number = [](const Json& object, const char* key) { return object.at(key).get<std::int64_t>(); };
  const Json& order = state.at("order");
  return {.step = number(state, "step"),
          .total_steps = number(state, "total_steps"),
          .epoch = number(state, "epoch"),
          .step_in_epoch = number(state, "step_in_epoch"),
          .pass = number(order, "pass"),
          .batches = order.value("batches", std::int64_t{0}),  // earlier versions recorded neither this …
          .seed = order.at("seed").get<std::uint64_t>()};
}

/// Paths need not be UTF-8; JSON must.
std::string text_of(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

[[noreturn]] void broken(const fs::path& file, std::string_view what) {
  throw UserError(fmt::format("{}: {}", file.string(), what));
}

/// state.json, checked against its own checksum.
Json read_state(const fs::path& path) {
  Json state = Json::parse(MappedFile(path).text(), nullptr, false);
  if (!state.is_object() || !state.contains("checksum")) broken(path, "no whole JSON object");
  const Json checksum = state["checksum"];
  state.erase("checksum");
  if (checksum != checksum_of(text_of(state))) broken(path, "its checksum is wrong");
  if (state.value("format", 0) != kFormat) {
    broken(path, fmt::format("its format is {}, but this program reads {}", state.value("format", 0), kFormat));
  }
  return state;
}

MappedFile read_checked(const fs::path& folder, std::string_view name, const Json& state) {
  MappedFile file(folder / name);
  const Json& entry = state.at("files").at(std::string(name));
  const auto expected = entry.at("bytes").get<std::size_t>();
  if (file.bytes().size() != expected) {
    broken(file.path(), fmt::format("{} bytes expected, {} found", expected, file.bytes().size()));
  }
  if (entry.at("xxh3") != checksum_of(file.bytes())) broken(file.path(), "its checksum is wrong");
  return file;
}

void upload_tensor(const std::vector<CheckpointTensor>& tensors, const std::string& name, const Decoder& model,
                   const Parameter& parameter, Matrix device) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  if (found == tensors.end()) throw UserError(fmt::format("the checkpoint has no tensor '{}'", name));
  if (found->type != DType::f32 || found->bytes.size() != device.bytes()) {
    broken(found->file, fmt::format("tensor '{}': {} bytes of f32 expected, {} of {} found", name, device.bytes(),
                                    found->bytes.size(), name_of(found->type)));
  }
  const auto size = static_cast<std::size_t>(device.size());
  model.upload(parameter, {reinterpret_cast<const float*>(found->bytes.data()), size}, device);
}

/// Renamed first, so that no half-removed folder has a checkpoint's name.
void remove_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path leaving = fs::path(folder) += ".partial-old";
  fs::rename(folder, leaving, error);
  if (!error) fs::remove_all(leaving, error);
  if (error)
    log::warning(fmt::format("{}: the old checkpoint cannot be removed: {}", folder.string(), error.message()));
}

bool is_whole(const fs::path& folder) {
  try {
    RunCheckpoint::read(folder);
    return true;
  } catch (const UserError&) {
    return false;
  }
}

fs::path folder_at(const fs::path& folder, std::int64_t step) { return folder / fmt::format("{}{}", kStep, step); }

std::optional<RunCheckpoint> read_or_warn(const fs::path& folder) {
  try {
    return RunCheckpoint::read(folder);
  } catch (const UserError& error) {
    log::warning(fmt::format("broken checkpoint passed over: {}", error.what()));
    return std::nullopt;
  }
}

/// The N of "step-N".
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kStep)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kStep.size(), end, step);
  return error == std::errc() && rest == end && step >= 0 ? std::optional(step) : std::nullopt;
}

}  // namespace

struct RunCheckpoint::Content {
  fs::path folder;
  RunPosition position;
  fs::path base_model;
  std::string command;
  std::string program;
  RunFacts facts;
  MappedFile trained;
  MappedFile moments;
  std::optional<MappedFile> best;  // of a run that was scored, with …
  std::vector<StsRow> dev_rows;    // … its scores
  std::int64_t best_step = 0;
};

RunCheckpoint::RunCheckpoint(std::unique_ptr<Content> content) : content_(std::move(content)) {}
RunCheckpoint::~RunCheckpoint() = default;
RunCheckpoint::RunCheckpoint(RunCheckpoint&&) noexcept = default;
RunCheckpoint& RunCheckpoint::operator=(RunCheckpoint&&) noexcept = default;
const RunPosition& RunCheckpoint::position() const { return content_->position; }
const fs::path& RunCheckpoint::base_model() const { return content_->base_model; }
fs::path RunCheckpoint::trained() const { return content_->folder / kTrained; }
const std::string& RunCheckpoint::command() const { return content_->command; }
const std::string& RunCheckpoint::program() const { return content_->program; }
const RunFacts& RunCheckpoint::facts() const { return content_->facts; }
const fs::path& RunCheckpoint::folder() const { return content_->folder; }
bool RunCheckpoint::is_adapter() const { return files::exists(content_->folder / kAdapterFile); }

RunCheckpoint RunCheckpoint::read(const fs::path& folder) {
  auto content = std::make_unique<Content>();
  content->folder = folder;
  try {
    const Json state = read_state(folder / kState);
    content->position = position_of(state);
    content->base_model = state.at("base_model").get<std::string>();
    content->command = state.value("command", std::string());        // … nor this …
    content->program = state.value("program", std::string("sgpt"));  // … nor this
    for (const auto& [name, value] : state.at("run").items()) {
      content->facts.emplace_back(name, value.get<std::string>());
    }
    add_unrecorded(content->facts);
    content->trained = read_checked(folder, kTrained, state);
    content->moments = read_checked(folder, kMoments, state);
    if (const auto dev = state.find("dev"); dev != state.end()) {
      content->dev_rows = dev_rows(*dev);
      content->best_step = dev->at("best_step").get<std::int64_t>();
      content->best = read_checked(folder, kBest, state);
    }
  } catch (const Json::exception& error) {
    broken(folder / kState, error.what());
  }
  return RunCheckpoint(std::move(content));
}

void RunCheckpoint::restore(Decoder& model, Trainer& trainer, DevSelection* dev) const {
  const auto trained = read_safetensors(content_->trained);
  const auto moments = read_safetensors(content_->moments);
  const TrainerState& state = trainer.state();
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trained()) continue;
    const std::string& name = parameter.info.name;
    upload_tensor(trained, name, model, parameter, parameter.value);
    upload_tensor(moments, first_moment_of(name), model, parameter, same_place(model, parameter, state.first_moment));
    upload_tensor(moments, second_moment_of(name), model, parameter, same_place(model, parameter, state.second_moment));
  }
  if (dev && content_->best) {
    const auto best = read_safetensors(*content_->best);
    for (const Parameter& parameter : model.parameters()) {
      if (!parameter.trained()) continue;
      upload_tensor(best, parameter.info.name, model, parameter, same_place(model, parameter, dev->best_values()));
    }
    dev->resume(content_->dev_rows, content_->best_step);
  }
  trainer.resume(step());
}

RunCheckpoints::RunCheckpoints(const fs::path& output, Options options)
    : folder_(files::without_slash(output)), options_(std::move(options)) {
  folder_ += ".checkpoints";
}

std::vector<std::int64_t> RunCheckpoints::steps_in(const fs::path& folder) {
  std::vector<std::int64_t> steps;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunCheckpoints::save(const RunPosition& position, const RunFacts& facts, const Decoder& model,
                          const Trainer& trainer, const DevSelection* dev) {
  const fs::path target = folder_at(folder_, position.step);
  if (std::error_code none; fs::exists(target, none)) {
    if (is_whole(target)) return;
    remove_folder(target);
  }
  AtomicFolder folder(target);
  write_tensors(folder, model, trainer.state());
  if (!options_.adapter_config.empty()) {
    write_file(folder / kAdapterFile, options_.adapter_config);
    write_safetensors(folder / kAdapterWeights, adapter_tensors(model));
  }
  Json state = state_json(position, facts, options_);
  std::vector<std::string_view> files{kTrained, kMoments};
  if (dev && dev->best_step() > 0) {
    write_best(folder, model, *dev);
    state["dev"] = dev_json(*dev);
    files.push_back(kBest);
  }
  for (const std::string_view name : files) state["files"][std::string(name)] = file_entry(folder / name);
  state["checksum"] = checksum_of(text_of(state));
  write_file(folder / kState, text_of(state, 2) + "\n");
  folder.commit();
  remove_old();
}

void RunCheckpoints::remove_old() const {
  if (options_.total_limit <= 0) return;
  std::vector<std::int64_t> all = steps();
  const auto excess = std::max<std::int64_t>(0, std::ssize(all) - options_.total_limit);
  all.resize(static_cast<std::size_t>(excess));
  for (const std::int64_t step : all) remove_folder(folder_at(folder_, step));
}

std::vector<RunCheckpoint> RunCheckpoints::all(const fs::path& folder) {
  std::vector<RunCheckpoint> found;
  for (const std::int64_t step : steps_in(folder)) {
    if (auto checkpoint = read_or_warn(folder_at(folder, step))) found.push_back(std::move(*checkpoint));
  }
  return found;
}

std::optional<RunCheckpoint> RunCheckpoints::newest() const {
  std::vector<std::int64_t> all = steps();
  std::reverse(all.begin(), all.end());
  for (const std::int64_t step : all) {
    if (auto checkpoint = read_or_warn(folder_at(folder_, step))) return checkpoint;
  }
  return std::nullopt;
}

void RunCheckpoints::remove_partial() const {
  std::error_code none;
  std::vector<fs::path> partial;
  for (const auto& entry : fs::directory_iterator(folder_, none)) {
    if (entry.path().filename().string().find(".partial-") != std::string::npos) partial.push_back(entry.path());
  }
  for (const fs::path& path : partial) fs::remove_all(path, none);
}

}  // namespace sgpt
