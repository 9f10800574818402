// The checkpoints of a run, from which it can be taken up again to end with the same bits: OUTPUT.checkpoints/step-N.
// A checkpoint holds what training changed, and names the rest: trained.safetensors (the trained parameters, f32),
// moments.safetensors (both of AdamW's moments of each), state.json (the position, the run's facts, and the checksums
// of everything). Order of the data, rotation of its candidates and learning rate follow from seed and step. A run that
// is scored as it goes has its scores in state.json, and the best trained values so far in best.safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/run_facts.h"
#include "train/trainer.h"

namespace sgpt {

class DevSelection;

/// Where a run stands after `step` steps.
struct RunPosition {
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t epoch = 0;          ///< complete ones
  std::int64_t step_in_epoch = 0;  ///< of the one begun
  std::int64_t pass = 0;           ///< over the data: which shuffled order, and how often an example was seen
  std::int64_t batches = 0;        ///< of a pass
  std::uint64_t seed = 0;          ///< of the orders
};

/// A checkpoint that was found whole.
class RunCheckpoint {
 public:
  /// Throws UserError saying what is broken.
  static RunCheckpoint read(const std::filesystem::path& folder);
  ~RunCheckpoint();
  RunCheckpoint(RunCheckpoint&&) noexcept;
  RunCheckpoint& operator=(RunCheckpoint&&) noexcept;

  std::int64_t step() const { return position().step; }
  const RunPosition& position() const;
  const std::filesystem::path& base_model() const;  ///< as the run was given it
  std::filesystem::path trained() const;            ///< trained.safetensors
  const std::string& command() const;               ///< that began or continued the run, as it was typed; maybe empty
  const std::string& program() const;               ///< that wrote it, with its version
  const RunFacts& facts() const;
  const std::filesystem::path& folder() const;
  bool is_adapter() const;  ///< the folder is a PEFT adapter of the base model, too

  /// Puts trained values and moments in place, and what `dev` knew, where it is not null. Throws UserError when a
  /// tensor is missing or has another shape.
  void restore(Decoder& model, Trainer& trainer, DevSelection* dev) const;

 private:
  struct Content;
  explicit RunCheckpoint(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

class RunCheckpoints {
 public:
  struct Options {
    std::filesystem::path base_model;  ///< recorded for people and for evaluation
    std::string command;               ///< recorded for the model card
    std::int64_t total_limit = 0;      ///< older ones are deleted when there are more; 0: none
    /// adapter_config.json of a run that trains LoRA: each checkpoint is then a PEFT adapter too. Empty: none.
    std::string adapter_config = {};
  };
  void set_adapter_config(std::string text) { options_.adapter_config = std::move(text); }

  /// Of the run that writes `output`. Touches nothing yet.
  RunCheckpoints(const std::filesystem::path& output, Options options);

  const std::filesystem::path& folder() const { return folder_; }
  bool any() const { return !steps().empty(); }

  /// Appears whole or not at all; older ones go only when it is safe on the disk. A whole one of the same
  /// step stays as it is. `dev` may be null.
  void save(const RunPosition& position, const RunFacts& facts, const Decoder& model, const Trainer& trainer,
            const DevSelection* dev);

  /// All that are whole, oldest first; broken ones are passed over with a warning. `folder` holds them.
  static std::vector<RunCheckpoint> all(const std::filesystem::path& folder);

  /// The newest that is whole; broken ones are passed over with a warning.
  std::optional<RunCheckpoint> newest() const;

  /// Removes what a killed run left half-written.
  void remove_partial() const;

 private:
  std::vector<std::int64_t> steps() const { return steps_in(folder_); }
  static std::vector<std::int64_t> steps_in(const std::filesystem::path& folder);  // ascending
  void remove_old() const;

  std::filesystem::path folder_;
  Options options_;
};

}  // namespace sgpt
