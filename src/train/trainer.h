// One training step after the other: gradients (GradCache), clipping, AdamW, schedule. Knows nothing of files: the
// caller brings batches of token ids, and takes the trained values out of the model. Several ranks make a step
// together: each brings its rows of the batch (or none), and all end with the same values.
//
//   Decoder model(backend, checkpoint, config, trained_parameters({.non_bias = true}));
//   Trainer trainer(backend, model, {.pooling = {PoolingMode::weightedmean}, .total_steps = 100});
//   StepResult result = trainer.step(make_batch(preparation, examples));
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/communicator.h"
#include "model/decoder.h"
#include "sgpt/pooling.h"
#include "tensor/token_batch.h"
#include "train/grad_cache.h"
#include "train/schedule.h"

namespace sgpt {

class TextPreparation;

/// What stays as it is, by the names of train_bi-encoder_mnrl.py.
struct Freezing {
  bool all = false;              ///< --freeze: everything
  bool non_bias = false;         ///< --freezenonbias, BitFit: all whose name lacks "bias"
  bool train_embedding = false;  ///< --unfreezewte: but not the word embedding
  bool train_norms = false;      ///< --train_norms: but not what norms have, and all else
  bool lora = false;             ///< everything but the matrices of LoRA
};

/// Which parameters are trained, and which decay: all whose name holds none of `bias`, `LayerNorm.bias`,
/// `LayerNorm.weight`.
TrainedParameters trained_parameters(const Freezing& freezing);

/// The numbers of a run; defaults as the reference's.
struct TrainerOptions {
  std::vector<PoolingMode> pooling = {PoolingMode::mean};
  double learning_rate = 2e-5;
  double weight_decay = 0.01;
  double max_gradient_norm = 1;
  double scale = 20;  ///< of the cosines in the loss
  Schedule schedule = Schedule::warmup_linear;
  std::int64_t warmup_steps = 1000;
  std::int64_t total_steps = 0;  ///< the schedule's end
  std::int64_t chunk_size = 0;   ///< GradCache: texts a column in a chunk; 0: the batch is one chunk, without GradCache
  std::size_t activation_memory = 0;  ///< bytes for what GradCache keeps of the forward passes; 0: as few as can be
};

/// What a step did; chunks are this rank's, all else is of all ranks.
struct StepResult {
  std::int64_t step = 0;  ///< from 0
  double loss = 0;
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  std::int64_t tokens = 0;  ///< of all texts
  GradCache::Result pass;   ///< what was computed how often
};

/// Everything that a run carries from step to step, beside the trained values themselves (which are the model's).
struct TrainerState {
  std::int64_t step = 0;
  Matrix first_moment;   // [1,P] of the trained values, in the backend's memory
  Matrix second_moment;  // [1,P]
};

class Trainer {
 public:
  /// Backend, model and communicator must outlive the trainer. Throws UserError when no parameter is trained.
  Trainer(Backend& backend, Decoder& model, const TrainerOptions& options, Communicator& ranks = this_process_alone());

  /// One step, by all ranks together. Loss and gradient are the means of those of the batches (gradient accumulation).
  /// Throws UserError when loss or gradients are not finite; the model is then as before the step.
  StepResult step(std::span<const TrainingBatch> batches);
  StepResult step(const TrainingBatch& batch) { return step(std::span(&batch, 1)); }

  /// The first half of a step: the model's gradients = those of these batches, before clipping.
  GradCache::Result gradients(std::span<const TrainingBatch> batches);
  GradCache::Result gradients(const TrainingBatch& batch) { return gradients(std::span(&batch, 1)); }

  /// False after an update that went astray; the moments are not looked at.
  bool values_are_finite() const;

  /// Goes on after `step` steps of a run whose trained values and moments were put into the model and into state().
  void resume(std::int64_t step);

  const TrainerState& state() const { return state_; }
  std::int64_t trained_size() const { return model_.trained_values().size(); }  ///< numbers that are trained

 private:
  void update(double learning_rate, double gradient_scale);

  Backend& backend_;
  Decoder& model_;
  TrainerOptions options_;
  Communicator& ranks_;
  GradCache grad_cache_;
  Buffer moments_;
  TrainerState state_;
};

/// Memory that activations may take by default: half of what is free (base/free_memory.h) beside `reserved` bytes.
std::size_t default_activation_memory(std::uint64_t reserved = 0);

/// A query with what answers it and what does not, as texts.
struct TextExample {
  std::string query;
  std::string positive;
  std::vector<std::string> negatives;  ///< as many in every example of a batch
};

/// The texts of the examples as the model sees them: stripped, cut, bracketed.
TrainingBatch make_batch(const TextPreparation& preparation, std::span<const TextExample> examples);

}  // namespace sgpt
