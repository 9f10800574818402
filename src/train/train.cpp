// sgpt::train: from a model folder and a data file to a trained model folder.
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "base/threads.h"
#include "encode/text_preparation.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "train/batch_order.h"
#include "train/data.h"
#include "train/model_card.h"
#include "train/trainer.h"
#include "train/watch/run_watch.h"

namespace sgpt {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 30;  // of anything that is counted: products still fit into 63 bits

void check_count(std::string_view name, std::int64_t value, std::int64_t least) {
  if (value < least || value > kMost) {
    throw UserError(fmt::format("{} is {}, but must be from {} to {}", name, value, least, kMost));
  }
}

void check_number(std::string_view name, double value, bool may_be_zero) {
  if (!std::isfinite(value) || value < 0 || (value == 0 && !may_be_zero)) {
    throw UserError(fmt::format("{} is {}, but must be {}", name, value, may_be_zero ? "0 or more" : "more than 0"));
  }
}

void check_options(const TrainOptions& options) {
  check_count("--train_batch_size", options.batch_size, 1);
  check_count("--epochs", options.epochs, 1);
  check_count("--steps_per_epoch", options.steps_per_epoch, 0);
  check_count("--warmup_steps", options.warmup_steps, 0);
  check_count("--chunksize", options.chunk_size, 1);
  check_count("--max_seq_length", options.max_seq_length, 1);
  check_count("--negatives_per_query", options.negatives_per_query, 0);
  check_count("--train_dataset_max_size", options.train_dataset_max_size, 0);
  check_number("--lr", options.learning_rate, true);
  check_number("--weight_decay", options.weight_decay, true);
  check_number("--max_grad_norm", options.max_gradient_norm, false);
  check_number("--scale", options.scale, false);
  require_new_folder(options.output);
}

Schedule schedule_of(const TrainOptions& options) {
  if (const auto schedule = schedule_from(options.scheduler)) return *schedule;
  throw UserError(
      fmt::format("no scheduler is called '{}'; there are {}", options.scheduler, fmt::join(schedule_names(), ", ")));
}

/// The settings of the model that comes out, which are those that it is trained with.
ModelFolder trained_settings(const TrainOptions& options) {
  ModelFolder folder = read_model_folder(options.model);
  if (folder.has_modules && folder.pooling != std::vector{options.pooling}) {
    log::warning(fmt::format("{} says {} pooling, but --pooling {} is trained and saved", options.model.string(),
                             name_of(folder.pooling.front()), name_of(options.pooling)));
  }
  if (folder.brackets.value_or(false) && !options.brackets) {
    log::warning(fmt::format("{} was made for special brackets, but is trained and saved without: --specb keeps them",
                             options.model.string()));
  }
  folder.pooling = {options.pooling};
  folder.brackets = options.brackets;
  folder.max_seq_length = options.max_seq_length;
  return folder;
}

TrainerOptions trainer_options(const TrainOptions& options, std::int64_t total_steps) {
  TrainerOptions result;
  result.pooling = {options.pooling};
  result.learning_rate = options.learning_rate;
  result.weight_decay = options.weight_decay;
  result.max_gradient_norm = options.max_gradient_norm;
  result.scale = options.scale;
  result.schedule = schedule_of(options);
  result.warmup_steps = options.warmup_steps;
  result.total_steps = total_steps;
  if (options.grad_cache) {
    result.chunk_size = options.chunk_size;
    result.activation_memory = options.activation_memory ? *options.activation_memory : default_activation_memory();
  }
  return result;
}

/// One JSON line a step, there to be read while training goes on.
class StepLog {
 public:
  explicit StepLog(const std::filesystem::path& path) : path_(path) {
    if (path.empty()) return;
    out_.open(path, std::ios::trunc);
    if (!out_)
      throw UserError(fmt::format("{} cannot be written: give --log_file in a folder that is there", path.string()));
  }

  void write(const TrainStep& step) {
    if (path_.empty()) return;
    out_
        << fmt::format(
               R"({{"step": {}, "loss": {}, "gradient_norm": {}, "lr": {}, "tokens": {}, "tokens_per_second": {:.1f}}})",
               step.step, step.loss, step.gradient_norm, step.learning_rate, step.tokens, step.tokens_per_second)
        << std::endl;
    if (!out_) throw MachineError(fmt::format("{}: writing failed; is the disk full?", path_.string()));
  }

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

/// The checkpoint with the trained parameters, in f32, in place of its own.
void save(const TrainOptions& options, const ModelFolder& settings, const Checkpoint& checkpoint, const Bloom& model,
          const std::string& card) {
  std::vector<std::unique_ptr<float[]>> trained;
  std::vector<TensorToWrite> tensors;
  for (const Parameter& parameter : model.parameters()) {
    TensorToWrite tensor;
    tensor.name = parameter.info.name;
    tensor.shape = parameter.info.shape();
    if (parameter.trained()) {
      const auto size = static_cast<std::size_t>(parameter.value.size());
      trained.push_back(std::make_unique_for_overwrite<float[]>(size));
      model.backend().download(parameter.value, {trained.back().get(), parameter.info.rows, parameter.info.cols});
      tensor.bytes = std::as_bytes(std::span(trained.back().get(), size));
    } else {
      const CheckpointTensor& source = checkpoint.require(parameter.info.name, tensor.shape);
      tensor.type = source.type;
      tensor.bytes = source.bytes;
    }
    tensors.push_back(std::move(tensor));
  }
  write_model_folder(settings, settings.transformer, options.output, tensors, card);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// All the steps of the run.
TrainResult run_steps(const TrainOptions& options, const TrainingData& data, BatchOrder& order,
                      std::int64_t total_steps, Trainer& trainer, const Bloom& model, RunWatch& watch) {
  StepLog step_log(options.log_file);
  TrainResult result;
  for (std::int64_t step = 0; step < total_steps; ++step) {
    const BatchOrder::Batch next = order.batch(step);
    const TrainingBatch batch = data.batch(next.examples, next.visit);
    const auto start = std::chrono::steady_clock::now();
    const StepResult done = trainer.step(batch);
    const double seconds = seconds_since(start);
    if (step == 0 && done.chunks > 1) {
      log::info(fmt::format("GradCache: a batch has {} chunks; {} are kept in memory, {} are computed twice",
                            done.chunks, done.chunks - done.recomputed_chunks, done.recomputed_chunks));
    }
    const TrainStep report{.step = step,
                           .total_steps = total_steps,
                           .loss = done.loss,
                           .gradient_norm = done.gradient_norm,
                           .learning_rate = done.learning_rate,
                           .tokens = done.tokens,
                           .tokens_per_second = static_cast<double>(done.tokens) / std::max(seconds, 1e-9)};
    step_log.write(report);
    watch.step(report, model);
    if (options.on_step) options.on_step(report);
    result.tokens += done.tokens;
    result.seconds += seconds;
    result.last_loss = done.loss;
  }
  result.steps = total_steps;
  result.examples = data.size();
  result.trained_parameters = trainer.trained_size();
  return result;
}

}  // namespace

TrainResult train(const TrainOptions& options) {
  check_options(options);
  schedule_of(options);
  RunWatch watch(options);
  const ThreadScope threads(options.threads);
  const ModelFolder settings = trained_settings(options);
  const std::unique_ptr<Backend> backend = make_backend(options.backend);
  const Checkpoint checkpoint = Checkpoint::open(settings.transformer);
  const Freezing freezing{options.freeze, options.freeze_non_bias, options.train_word_embeddings};
  Bloom model(*backend, checkpoint, settings.config, trained_parameters(freezing));

  const TextPreparation preparation(Tokenizer::load(settings.tokenizer_file()), settings, {});
  const TrainingData data = TrainingData::read(
      options.train_data, preparation,
      {.negatives_per_query = options.negatives_per_query, .max_examples = options.train_dataset_max_size});
  BatchOrder order(data.size(), {options.batch_size, options.shuffle, options.seed});
  const std::int64_t steps_per_epoch = options.steps_per_epoch > 0 ? options.steps_per_epoch : order.batches();
  const std::int64_t total_steps = steps_per_epoch * options.epochs;

  Trainer trainer(*backend, model, trainer_options(options, total_steps));
  log::info(
      fmt::format("training {} parameters for {} epochs of {} steps; examples: {}, negatives of each in a step: {}",
                  trainer.trained_size(), options.epochs, steps_per_epoch, data.size(), data.negatives_per_query()));
  watch.start({.options = options,
               .total_steps = total_steps,
               .steps_per_epoch = steps_per_epoch,
               .examples = data.size(),
               .trained_parameters = trainer.trained_size()});
  const TrainResult result = run_steps(options, data, order, total_steps, trainer, model, watch);
  watch.end(result);
  save(options, settings, checkpoint, model,
       model_card({.options = options, .settings = settings, .batches = order.batches()}));
  return result;
}

}  // namespace sgpt
