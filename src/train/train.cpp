// sgpt::train: from a model folder and a data file to a trained model folder.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/broken_pipe.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/threads.h"
#include "encode/compute_choice.h"
#include "encode/text_preparation.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "train/batch_order.h"
#include "train/check_options.h"
#include "train/data.h"
#include "train/exchange.h"
#include "train/model_card.h"
#include "train/model_settings.h"
#include "train/msmarco/msmarco_data.h"
#include "train/parameter_tensor.h"
#include "train/run_checkpoints.h"
#include "train/run_checks.h"
#include "train/run_facts.h"
#include "train/run_lock.h"
#include "train/step_memory.h"
#include "train/train.h"
#include "train/trainer.h"
#include "train/watch/run_watch.h"

namespace sgpt {
namespace {

/// The settings of the model that comes out, which are those that it is trained with.
ModelFolder trained_settings(const TrainOptions& options, const Communicator& ranks) {
  ModelFolder folder = read_model_folder(options.model);
  if (ranks.first() && folder.has_modules && folder.pooling != std::vector{options.pooling}) {
    log::warning(fmt::format("{} says {} pooling, but --pooling {} is trained and saved", options.model.string(),
                             name_of(folder.pooling.front()), name_of(options.pooling)));
  }
  if (ranks.first() && folder.brackets.value_or(false) && !options.brackets) {
    log::warning(fmt::format("{} was made for special brackets, but is trained and saved without: --specb keeps them",
                             options.model.string()));
  }
  if (ranks.first() && !folder.dropout.empty()) {
    log::info(fmt::format("{}: config.json asks for {} in training; sgpt trains without dropout",
                          model_shown(options.model), folder.dropout));
  }
  require_trainable_modules(folder);
  folder.pooling = {options.pooling};
  folder.brackets = options.brackets;
  set_prompts(folder, options.query_prompt, options.document_prompt);
  folder.sentences.similarity = Similarity::cosine;  // of the loss
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
  result.schedule = *schedule_from(options.scheduler);
  result.warmup_steps = *options.warmup_steps;
  result.total_steps = total_steps;
  if (options.grad_cache) {
    result.chunk_size = options.chunk_size;
    result.activation_memory = options.activation_memory.value_or(0);
  }
  return result;
}

/// The checkpoint with the trained parameters, in f32, in place of its own.
void save(const TrainOptions& options, const ModelFolder& settings, const Checkpoint& checkpoint, const Decoder& model,
          const std::string& card) {
  std::vector<TensorToWrite> tensors;
  for (const Parameter& parameter : model.parameters()) {
    const std::string& name = parameter.info.name;
    if (parameter.trained()) {
      tensors.push_back(parameter_tensor(model, parameter, name, parameter.value));
      continue;
    }
    const CheckpointTensor& source = require_parameter(checkpoint, parameter.info, true);
    tensors.push_back({.name = name, .type = source.type, .shape = source.shape, .bytes = source.bytes, .fill = {}});
  }
  write_model_folder(settings, settings.transformer, options.output, tensors, card);
}

std::unique_ptr<const TrainingSet> open_training_set(const TrainOptions& options, const TextPreparation& preparation,
                                                     const Communicator& ranks) {
  if (options.train_data.empty()) {
    return std::make_unique<MsMarcoData>(
        preparation, MsMarcoData::Options{options.msmarco, options.train_dataset_max_size, options.seed});
  }
  return std::make_unique<TrainingData>(TrainingData::read(options.train_data, preparation,
                                                           {.negatives_per_query = options.negatives_per_query,
                                                            .max_examples = options.train_dataset_max_size,
                                                            .warnings = ranks.first()}));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A checkpoint of an earlier run is neither overwritten nor taken for this run's.
void require_no_checkpoints(const TrainOptions& options, const RunCheckpoints& checkpoints) {
  if (options.resume || !options.checkpoints || !checkpoints.any()) return;
  throw UserError(
      fmt::format("{} holds checkpoints of an earlier run: continue it with --resume, or remove that folder to begin "
                  "anew",
                  checkpoints.folder().string()));
}

/// Ranks that were started with different options or files would compute nonsense together.
void require_same_facts(const RunFacts& facts, Communicator& ranks) {
  const std::vector<std::string> all = ranks.all_gather(packed(facts));
  const RunFacts first = unpacked(all.front());
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (const auto difference = first_difference(first, unpacked(all[rank]),
                                                 {.there = "on rank 0", .here = fmt::format("on rank {}", rank)})) {
      throw UserError(
          fmt::format("the ranks differ: {}; start all of them with the same options and files", *difference));
    }
  }
}

constexpr std::int64_t kFirstBatches = 4;  // that memory is planned by

/// The chunk size that was chosen when the run began; 0 when there is none to go on with.
std::int64_t recorded_chunk_size(const RunFacts& recorded) {
  const std::string* size = find_fact(recorded, "--chunksize");
  return size ? std::strtoll(size->c_str(), nullptr, 10) : 0;
}

/// The type of the run's products: where it is measured, what was measured when the run began stands.
ComputeType wanted_type(const TrainOptions& options, const RunFacts& recorded) {
  const std::string* type = find_fact(recorded, "--dtype");
  if (options.compute != ComputeType::automatic || !type) return options.compute;
  return compute_type_from(*type).value_or(options.compute);
}

/// Whether `output` is what this command, called before, ended with. Throws UserError when the run that wrote it had
/// other options.
bool has_finished(const TrainOptions& options, const std::optional<RunCheckpoint>& newest) {
  if (!options.resume || !files::exists(options.output / "sgpt_config.json")) return false;
  if (!newest) return true;  // checkpoints may be removed when training is over
  if (newest->step() < newest->position().total_steps) return false;
  RunFacts now = option_facts(options);
  std::erase_if(now, [&](const auto& fact) {  // what the run decided itself
    return (fact.first == "--dtype" && options.compute == ComputeType::automatic) ||
           (fact.first == "--chunksize" && options.grad_cache && options.chunk_size == 0);
  });
  for (const auto& fact : newest->facts()) {
    if (!find_fact(now, fact.first)) now.push_back(fact);
  }
  if (const auto difference = first_difference(newest->facts(), now, {.there = "in its checkpoint", .here = "now"})) {
    throw UserError(fmt::format("{} is there already, and of another run: {}", options.output.string(), *difference));
  }
  return true;
}

/// On all ranks alike; rank 0 looks.
bool has_finished(const TrainOptions& options, const std::optional<RunCheckpoint>& newest, Communicator& ranks) {
  std::int64_t finished = ranks.first() && has_finished(options, newest) ? 1 : 0;
  ranks.broadcast(std::as_writable_bytes(std::span(&finished, 1)));
  if (finished != 0 && ranks.first()) {
    log::info(fmt::format("{} is there already{}: the run has finished, and nothing is left to do",
                          options.output.string(), newest ? "" : ", and no checkpoint to go on from"));
  }
  return finished != 0;
}

std::vector<TrainingBatch> first_batches(const TrainingSet& data, BatchOrder& order) {
  std::vector<TrainingBatch> batches;
  for (std::int64_t step = 0; step < std::min(kFirstBatches, order.batches()); ++step) {
    const BatchOrder::Batch next = order.batch(step);
    batches.push_back(data.batch(next.examples, next.visit));
  }
  return batches;
}

/// All the steps of a run, from where it stands to its end.
class TrainingRun {
 public:
  struct Parts {
    const TrainOptions& options;
    const TrainingSet& data;
    BatchOrder& order;
    RunCheckpoints& checkpoints;
    std::optional<RunCheckpoint>& newest;  ///< to go on from; rank 0's
    const RunFacts& facts;
    Decoder& model;
    Trainer& trainer;
    std::int64_t steps_per_epoch;
    Communicator& ranks;
    RunWatch& watch;
  };
  explicit TrainingRun(const Parts& parts)
      : parts_(parts), options_(parts.options), total_steps_(parts.steps_per_epoch * parts.options.epochs) {}

  TrainResult finish();

 private:
  void resume();
  std::int64_t restore_newest();
  bool asked_to_stop() const;
  TrainStep step(std::int64_t number);
  bool checkpoint_is_due(std::int64_t steps) const;
  void save_checkpoint(std::int64_t steps);

  Parts parts_;
  const TrainOptions& options_;
  std::int64_t total_steps_;
  TrainResult result_;
};

TrainResult TrainingRun::finish() {
  if (options_.resume) resume();
  parts_.watch.start({.options = options_,
                      .first_step = result_.resumed_at,
                      .total_steps = total_steps_,
                      .steps_per_epoch = parts_.steps_per_epoch,
                      .examples = parts_.data.size(),
                      .trained_parameters = parts_.trainer.trained_size()});
  bool stop = asked_to_stop();
  for (std::int64_t number = result_.resumed_at; number < total_steps_ && !stop; ++number) {
    const TrainStep report = step(number);
    if (parts_.ranks.first() && options_.on_step) options_.on_step(report);
    stop = asked_to_stop();
    const bool save = stop || checkpoint_is_due(number + 1);
    const bool good = !save || parts_.trainer.values_are_finite();
    if (save && good) save_checkpoint(number + 1);  // before any observer is told, who may take his time, or fail
    parts_.watch.step(report, parts_.model);
    if (!good) {
      throw UserError(
          fmt::format("training went astray in step {}: its update made what is trained infinite or no number, so it "
                      "is not saved; use a lower --lr or a longer --warmup_steps",
                      number));
    }
  }
  result_.finished = result_.steps == total_steps_;
  result_.examples = parts_.data.size();
  result_.trained_parameters = parts_.trainer.trained_size();
  parts_.watch.end(result_);
  return result_;
}

/// Whether any rank was: a signal may reach only one of them.
bool TrainingRun::asked_to_stop() const {
  const bool asked = options_.stop && options_.stop();
  if (parts_.ranks.alone()) return asked;
  const std::vector<std::int64_t> all = parts_.ranks.all_gather(std::int64_t{asked});
  return std::find(all.begin(), all.end(), 1) != all.end();
}

/// Rank 0 reads the checkpoint; the others may be on machines that do not see it.
void TrainingRun::resume() {
  std::int64_t step = parts_.ranks.first() ? restore_newest() : 0;
  parts_.ranks.broadcast(std::as_writable_bytes(std::span(&step, 1)));
  if (step == 0) return;
  Backend& backend = parts_.model.backend();
  const TrainerState& state = parts_.trainer.state();
  for (const Matrix row : {parts_.model.trained_values(), state.first_moment, state.second_moment}) {
    broadcast(parts_.ranks, backend, row);
  }
  parts_.trainer.resume(step);
  result_.steps = result_.resumed_at = step;
}

/// The step of the checkpoint that was restored; 0 when there is none.
std::int64_t TrainingRun::restore_newest() {
  const std::optional<RunCheckpoint> checkpoint = std::exchange(parts_.newest, std::nullopt);
  if (!checkpoint) {
    log::info(
        fmt::format("no checkpoint in {}: training begins at the beginning", parts_.checkpoints.folder().string()));
    return 0;
  }
  if (const auto difference =
          first_difference(checkpoint->facts(), parts_.facts, {.there = "in the checkpoint", .here = "now"})) {
    throw UserError(fmt::format("{} is of another run: {}", checkpoint->folder().string(), *difference));
  }
  checkpoint->restore(parts_.model, parts_.trainer);
  log::info(fmt::format("resumed from {}: {} of {} steps are done", checkpoint->folder().string(), checkpoint->step(),
                        total_steps_));
  return checkpoint->step();
}

TrainStep TrainingRun::step(std::int64_t number) {
  const BatchOrder::Batch next = parts_.order.batch(number);
  const TrainingBatch batch = parts_.data.batch(next.examples, next.visit);
  const auto start = std::chrono::steady_clock::now();
  const StepResult done = parts_.trainer.step(batch);
  const double seconds = seconds_since(start);
  if (parts_.ranks.first() && number == result_.resumed_at && options_.grad_cache) {
    const GradCache::Result& pass = done.pass;
    log::info(fmt::format(
        "GradCache: chunks of a batch: {}, of which are kept in memory: {}, computed again from their layers' inputs: "
        "{}, computed twice: {}",
        pass.chunks, pass.chunks - pass.from_inputs - pass.twice, pass.from_inputs, pass.twice));
  }
  result_.steps = number + 1;
  result_.tokens += done.tokens;
  result_.seconds += seconds;
  result_.last_loss = done.loss;
  return {.step = number,
          .total_steps = total_steps_,
          .loss = done.loss,
          .gradient_norm = done.gradient_norm,
          .learning_rate = done.learning_rate,
          .tokens = done.tokens,
          .tokens_per_second = static_cast<double>(done.tokens) / std::max(seconds, 1e-9)};
}

bool TrainingRun::checkpoint_is_due(std::int64_t steps) const {
  const std::int64_t every = options_.checkpoint_save_steps;
  return steps % parts_.steps_per_epoch == 0 || (every > 0 && steps % every == 0);
}

void TrainingRun::save_checkpoint(std::int64_t steps) {
  if (!options_.checkpoints || !parts_.ranks.first()) return;
  const RunPosition position{.step = steps,
                             .total_steps = total_steps_,
                             .epoch = steps / parts_.steps_per_epoch,
                             .step_in_epoch = steps % parts_.steps_per_epoch,
                             .pass = steps / parts_.order.batches(),
                             .batches = parts_.order.batches(),
                             .seed = options_.seed};
  parts_.checkpoints.save(position, parts_.facts, parts_.model, parts_.trainer);
}

}  // namespace

TrainResult train(const TrainOptions& options) { return train(options, this_process_alone()); }

TrainResult train(const TrainOptions& options, Communicator& ranks) {
  RunWatch watch(options, ranks.first());
  return train(options, ranks, watch);
}

TrainResult train(const TrainOptions& wanted, Communicator& ranks, RunWatch& watch) {
  TrainOptions options = wanted;
  check_options(options);
  const BrokenPipeAsError as_error;
  RunCheckpoints checkpoints(options.output, {options.model, options.command, options.checkpoint_save_total_limit});
  std::optional<RunLock> lock;
  std::optional<RunCheckpoint> newest;  // rank 0's: the others may be on machines that do not see it
  if (ranks.first()) {
    lock.emplace(options.output);
    checkpoints.remove_partial();
    if (options.resume) newest = checkpoints.newest();
  }
  if (has_finished(options, newest, ranks)) return {.was_finished = true};
  require_new_folder(options.output);
  require_no_checkpoints(options, checkpoints);
  const RunFacts recorded = newest ? newest->facts() : RunFacts();
  const ThreadScope threads(options.threads);
  const ModelFolder settings = trained_settings(options, ranks);
  const std::unique_ptr<Backend> backend = make_backend(options.backend);
  const Checkpoint checkpoint = Checkpoint::open(settings.transformer);
  const Freezing freezing{options.freeze, options.freeze_non_bias, options.train_word_embeddings};
  const TrainedParameters which = trained_parameters(freezing);
  const DType stored = matrix_type(checkpoint, settings.config);
  options.compute = agree_on_compute_type(
      choose_compute_type(wanted_type(options, recorded), *backend, stored, WeightUse::forward_and_backward), *backend,
      ranks);
  require_weights_memory(*backend, checkpoint, settings.config, which, options.compute, ranks);
  Decoder model(*backend, checkpoint, settings.config, which, options.compute);

  const TextPreparation preparation(Tokenizer::load(settings.transformer), settings, {});
  for (const TextKind kind : {TextKind::query, TextKind::document}) {
    if (ranks.first()) preparation.tell(kind);
  }
  const std::unique_ptr<const TrainingSet> training_set = open_training_set(options, preparation, ranks);
  const TrainingSet& data = *training_set;
  BatchOrder order(data.size(),
                   {.batch_size = options.batch_size,
                    .shuffle = options.shuffle,
                    .seed = options.seed,
                    .rank = ranks.rank(),
                    .ranks = ranks.size(),
                    .texts = [&data](std::int64_t example, std::int64_t visit,
                                     std::vector<std::uint64_t>& hashes) { data.texts(example, visit, hashes); },
                    .no_duplicates = options.no_duplicates});
  const std::int64_t steps_per_epoch = options.steps_per_epoch > 0 ? options.steps_per_epoch : order.batches();
  const std::int64_t total_steps = steps_per_epoch * options.epochs;
  check_batches(options, data, order, ranks);
  settle_warmup(options, total_steps, recorded, ranks);

  const std::vector<TrainingBatch> batches = first_batches(data, order);
  settle_memory(options, model, {plan_weights(*backend, settings.config, stored, which, options.compute), batches},
                recorded_chunk_size(recorded), ranks);

  RunFacts facts = option_facts(options);
  facts.emplace_back("the number of processes", fmt::format("{}", ranks.size()));
  facts.emplace_back(kBaseModelFact, fingerprint_text(model_fingerprint(settings.config, checkpoint)));
  facts.emplace_back("the training data's checksum", fingerprint_text(data.fingerprint()));
  require_same_facts(facts, ranks);
  Trainer trainer(*backend, model, trainer_options(options, total_steps), ranks);
  if (ranks.first()) {
    log::info(
        fmt::format("training {} parameters for {} epochs of {} steps; examples: {}, negatives of each in a step: {}",
                    trainer.trained_size(), options.epochs, steps_per_epoch, data.size(), data.negatives_per_query()));
  }
  TrainingRun run({options, data, order, checkpoints, newest, facts, model, trainer, steps_per_epoch, ranks, watch});
  const TrainResult result = run.finish();
  if (ranks.first()) data.tell_cut_texts();
  if (result.finished && ranks.first()) {
    save(options, settings, checkpoint, model,
         model_card({.options = options, .settings = settings, .batches = order.batches(), .processes = ranks.size()}));
  }
  ranks.barrier();
  return result;
}

}  // namespace sgpt
