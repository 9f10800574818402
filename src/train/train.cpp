// sgpt::train: from a model folder and a data file to a trained model folder.
#include <algorithm>
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
#include "model/lora_adapter.h"
#include "model/lora_config.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "train/batch_order.h"
#include "train/check_options.h"
#include "train/data.h"
#include "train/dev_selection.h"
#include "train/exchange.h"
#include "train/model_card.h"
#include "train/model_settings.h"
#include "train/msmarco/msmarco_data.h"
#include "train/nli/nli_recipe.h"
#include "train/parameter_tensor.h"
#include "train/run_checkpoints.h"
#include "train/run_checks.h"
#include "train/run_facts.h"
#include "train/run_lock.h"
#include "train/step_memory.h"
#include "train/train.h"
#include "train/trainer.h"
#include "train/training_run.h"
#include "train/watch/run_watch.h"

namespace sgpt {
namespace {

/// The settings of the model that comes out, which are those that it is trained with.
ModelFolder trained_settings(const TrainOptions& options, const Communicator& ranks) {
  ModelFolder folder = read_model_folder(options.model, options.adapter);
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

/// What is trained in the place of matrices, if anything is.
Lora lora_of(const TrainOptions& options, const ModelFolder& settings, const Communicator& ranks) {
  if (settings.adapter.empty()) {
    if (!options.lora) return {};
    return new_lora(settings.config, {.rank = options.lora->rank,
                                      .alpha = options.lora->alpha,
                                      .rank_stabilised = options.lora->rank_stabilised,
                                      .targets = options.lora->targets,
                                      .seed = options.seed});
  }
  const double dropout = read_lora_config(settings.adapter).dropout;
  if (ranks.first() && dropout > 0) {
    log::info(
        fmt::format("{}: adapter_config.json asks for a lora_dropout of {} in training; sgpt trains without "
                    "dropout",
                    model_shown(settings.adapter), dropout));
  }
  return LoraAdapter::open(settings.adapter).lora(settings.config);
}

/// The model that an adapter belongs to, for its adapter_config.json: a name on the hub, or a path from anywhere.
std::string base_of(const ModelFolder& settings) {
  if (const auto hub = hub_path(settings.transformer)) return hub->id;
  std::error_code none;
  return std::filesystem::weakly_canonical(settings.transformer, none).string();
}

/// The checkpoint with the trained parameters, in f32, in place of its own; or the adapter alone.
void save(const TrainOptions& options, const ModelFolder& settings, const Checkpoint& checkpoint, const Decoder& model,
          const std::string& adapter_config, const std::string& card, std::span<const FileToWrite> more) {
  if (!adapter_config.empty()) {
    return write_adapter_folder(settings, adapter_config, options.output, adapter_tensors(model), card, more);
  }
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
  write_model_folder(settings, settings.transformer, options.output, tensors, card, more);
}

std::unique_ptr<const TrainingSet> open_training_set(const TrainOptions& options, const TextPreparation& preparation,
                                                     const Communicator& ranks) {
  if (options.nli) return open_nli_data(options, preparation, ranks);
  if (options.train_data.empty()) {
    return std::make_unique<MsMarcoData>(
        preparation, MsMarcoData::Options{options.msmarco, options.train_dataset_max_size, options.seed});
  }
  return std::make_unique<TrainingData>(TrainingData::read(options.train_data, preparation,
                                                           {.negatives_per_query = options.negatives_per_query,
                                                            .max_examples = options.train_dataset_max_size,
                                                            .warnings = ranks.first()}));
}

/// What the reference writes into the model's folder as it goes.
std::vector<FileToWrite> dev_files(const DevSelection& selection) {
  return {{std::string(kStsDevCsv), sts_csv(selection.rows())}};
}

/// Which examples make up which batch. Throws UserError when nothing could be learnt from them.
std::unique_ptr<BatchSource> open_batches(const TrainOptions& options, const TrainingSet& data,
                                          const Communicator& ranks) {
  if (options.nli) return open_nli_batches(options, data, ranks);
  auto order = std::make_unique<BatchOrder>(
      data.size(),
      BatchOrder::Options{.batch_size = options.batch_size,
                          .shuffle = options.shuffle,
                          .seed = options.seed,
                          .rank = ranks.rank(),
                          .ranks = ranks.size(),
                          .texts = [&data](std::int64_t example, std::int64_t visit,
                                           std::vector<std::uint64_t>& hashes) { data.texts(example, visit, hashes); },
                          .no_duplicates = options.no_duplicates});
  check_batches(options, data, *order, ranks);
  return order;
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

std::vector<TrainingBatch> first_batches(const TrainingSet& data, BatchSource& order) {
  std::vector<TrainingBatch> batches;
  for (std::int64_t number = 0; number < std::min(kFirstBatches, order.batches()); ++number) {
    const BatchSource::Batch next = order.batch(number);
    batches.push_back(data.batch(next.examples, next.visit));
  }
  return batches;
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
  if (!settings.adapter.empty()) check_options_of_adapter(options, settings.adapter);
  Lora lora = lora_of(options, settings, ranks);
  const bool has_lora = !lora.modules.empty();
  const std::string adapter_config =
      has_lora ? lora_config_json(lora, settings.config, base_of(settings)) : std::string();
  checkpoints.set_adapter_config(adapter_config);
  TrainedParameters which = trained_parameters({.all = options.freeze,
                                                .non_bias = options.freeze_non_bias,
                                                .train_embedding = options.train_word_embeddings,
                                                .train_norms = options.train_norms,
                                                .lora = has_lora});
  which.lora = std::move(lora);
  const DType stored = matrix_type(checkpoint, settings.config);
  options.compute = agree_on_compute_type(
      choose_compute_type(wanted_type(options, recorded), *backend, stored, WeightUse::forward_and_backward), *backend,
      ranks);
  require_weights_memory(*backend, checkpoint, settings.config, which, options.compute, ranks);
  Decoder model(*backend, checkpoint, settings.config, which, options.compute);

  const TextPreparation preparation(Tokenizer::load(settings.tokenizer), settings, {});
  for (const TextKind kind : {TextKind::query, TextKind::document}) {
    if (ranks.first()) preparation.tell(kind);
  }
  const std::unique_ptr<const TrainingSet> training_set = open_training_set(options, preparation, ranks);
  const TrainingSet& data = *training_set;
  const std::unique_ptr<BatchSource> batch_source = open_batches(options, data, ranks);
  BatchSource& order = *batch_source;
  const std::int64_t steps_per_epoch = options.steps_per_epoch > 0
                                           ? options.steps_per_epoch
                                           : std::max<std::int64_t>(1, order.batches() / options.gradient_accumulation);
  const std::int64_t total_steps = steps_per_epoch * options.epochs;
  settle_warmup(options, total_steps, recorded, ranks);
  const std::optional<StsDev> dev_pairs = open_dev_pairs(options, settings, preparation);
  if (options.nli) settle_evaluation_steps(options, steps_per_epoch);

  const std::vector<TrainingBatch> batches = first_batches(data, order);
  settle_memory(options, model, {plan_weights(*backend, settings.config, stored, which, options.compute), batches},
                recorded_chunk_size(recorded), ranks);

  RunFacts facts = option_facts(options);
  facts.emplace_back("the number of processes", fmt::format("{}", ranks.size()));
  facts.emplace_back(kBaseModelFact, fingerprint_text(model_fingerprint(settings.config, checkpoint)));
  if (!settings.adapter.empty()) {
    facts.emplace_back("the adapter's checksum", fingerprint_text(adapter_fingerprint(settings.adapter)));
  }
  facts.emplace_back("the training data's checksum", fingerprint_text(data.fingerprint()));
  if (dev_pairs) facts.emplace_back("the dev data's checksum", fingerprint_text(dev_pairs->fingerprint()));
  require_same_facts(facts, ranks);
  Trainer trainer(*backend, model, trainer_options(options, total_steps), ranks);
  if (ranks.first()) {
    log::info(
        fmt::format("training {} parameters for {} epochs of {} steps; examples: {}, negatives of each in a step: {}",
                    trainer.trained_size(), options.epochs, steps_per_epoch, data.size(), data.negatives_per_query()));
  }
  std::optional<DevSelection> selection;
  std::optional<DevScoring> scoring;
  if (dev_pairs) {
    if (ranks.first()) selection.emplace(model);
    scoring.emplace(DevScoring{*dev_pairs, selection ? &*selection : nullptr, *options.nli->evaluation_steps});
  }
  TrainingRun run(
      {options, data, order, checkpoints, newest, facts, model, trainer, steps_per_epoch, ranks, watch, scoring});
  const TrainResult result = run.finish();
  if (ranks.first()) data.tell_cut_texts();
  if (result.finished && ranks.first()) {
    if (selection) selection->restore_best();
    const std::string card = model_card({.options = options,
                                         .settings = settings,
                                         .batches = order.batches(),
                                         .processes = ranks.size(),
                                         .step = result.saved_step,
                                         .total_steps = total_steps,
                                         .dev_score = selection ? selection->best_score() : 0});
    save(options, settings, checkpoint, model, adapter_config, card,
         selection ? dev_files(*selection) : std::vector<FileToWrite>());
  }
  ranks.barrier();
  return result;
}

}  // namespace sgpt
