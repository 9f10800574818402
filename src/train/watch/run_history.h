// A run's own record in its folder, for `sgpt report` and for people: run.json says what was run and how it ended,
// history.jsonl has a line a step, histograms.jsonl a line a distribution, evaluation.json what came of it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/observer.h"
#include "train/step_lines.h"

namespace sgpt {

/// Where the parts of the record lie.
struct RunFolder {
  std::filesystem::path path;
  std::filesystem::path run() const { return path / "run.json"; }
  std::filesystem::path steps() const { return path / "history.jsonl"; }
  std::filesystem::path histograms() const { return path / "histograms.jsonl"; }
  std::filesystem::path evaluation() const { return path / "evaluation.json"; }
  std::filesystem::path wandb() const { return path / "wandb.json"; }  ///< {"id": …} of the run there
};

/// Throws UserError when it cannot be made.
void make_run_folder(const std::filesystem::path& folder);

/// Writes the record. The lines of steps before the first one of a resumed run stay.
class RunHistory : public TrainObserver {
 public:
  explicit RunHistory(const std::filesystem::path& folder) : folder_{folder} {}

  /// Makes the folder. All throw MachineError when writing fails. A run without steps leaves an earlier one's record,
  /// but for the evaluation, as it is.
  void on_start(const RunInfo& info) override;
  void on_step(const TrainStep& step) override;
  void on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) override;
  void on_end(const TrainResult& result) override;
  void on_evaluation(std::int64_t step, std::span<const NamedNumber> numbers) override;

 private:
  RunFolder folder_;
  StepLines steps_;
  StepLines histograms_;
};

/// {"MRR@10": 0.37, …}, rounded, and the end of the line.
std::string evaluation_json(std::span<const NamedNumber> numbers);

/// A record as it was read.
struct RunRecord {
  struct Bins {
    std::int64_t step = 0;
    double min = 0;
    double max = 0;
    std::array<double, Histogram::kBins> counts{};
  };
  using Facts = std::vector<std::pair<std::string, std::string>>;

  std::string command;
  Facts facts;                                          ///< of run.json, but for the command, in its order
  std::vector<TrainStep> steps;                         ///< ascending
  std::map<std::string, std::vector<Bins>> histograms;  ///< by name
  Facts evaluation;                                     ///< "MRR@10" and its value; empty when there is none
};

/// Throws UserError when there is no record in the folder. Broken lines are left out with a warning; of a run that is
/// still going on, a last line that is not yet whole without.
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace sgpt
