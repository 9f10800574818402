// The dev evaluation that ends sgpt train on MS MARCO: its options, and its result for people and programs.
#pragma once

#include <cstdint>
#include <functional>

#include "sgpt/encoder.h"
#include "sgpt/trainer.h"
#include "train/watch/run_watch.h"

namespace CLI {
class App;
}

namespace sgpt::cli {

struct DevArguments {
  std::int64_t corpus_max_size = -1;
  std::int64_t batch_size = 64;
  bool no_training = false;
};

/// --eval_batch_size, --dev_corpus_max_size, --no_training.
void add_dev_options(CLI::App& command, DevArguments& arguments);

/// How the encoder that evaluates is loaded: as the model was trained.
EncoderOptions evaluation_options(const TrainOptions& options, const DevArguments& arguments);

/// What was trained: the folder that training wrote, over the model that the run began with where that is an adapter.
Encoder load_trained(const TrainOptions& options, const DevArguments& arguments);

/// Evaluates `model` (the base model with --no_training, otherwise what was trained) where --train_data is a folder
/// with MS MARCO's dev files; prints the result, and tells `watch` of it. Where files are missing it says so;
/// with --no_training, when there is nothing else to do, it throws UserError. Calls `on_start` when all that watches
/// the run is there, before the evaluation begins.
void run_dev_evaluation(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch,
                        const std::function<void()>& on_start);

}  // namespace sgpt::cli
