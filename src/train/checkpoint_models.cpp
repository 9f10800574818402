#include "train/checkpoint_models.h"

#include <charconv>

#include <fmt/format.h>

#include "base/mapped_file.h"
#include "formats/model_files.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "model/parameters.h"
#include "model/safetensors.h"
#include "sgpt/error.h"
#include "train/model_card.h"
#include "train/model_settings.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

const std::string& fact(const RunCheckpoint& checkpoint, std::string_view name) {
  if (const std::string* value = find_fact(checkpoint.facts(), name)) return *value;
  throw UserError(fmt::format("{}: state.json does not say what {} was", checkpoint.folder().string(), name));
}

PoolingMode pooling_of(const RunCheckpoint& checkpoint) {
  const std::string& name = fact(checkpoint, "--pooling");
  if (const auto mode = pooling_mode_from(name)) return *mode;
  throw UserError(fmt::format("{}: state.json names the pooling {}, which this program does not have",
                              checkpoint.folder().string(), name));
}

ComputeType compute_type_of(const RunCheckpoint& checkpoint) {
  const std::string& name = fact(checkpoint, "--dtype");
  if (const auto type = compute_type_from(name)) return *type;
  throw UserError(fmt::format("{}: state.json names the type {}, which this program does not have",
                              checkpoint.folder().string(), name));
}

template <class Number>
Number number_of(const RunCheckpoint& checkpoint, std::string_view name) {
  const std::string& digits = fact(checkpoint, name);
  Number number = 0;
  const char* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  throw UserError(
      fmt::format("{}: state.json says that {} was {}; expected a number", checkpoint.folder().string(), name, digits));
}

std::int64_t max_seq_length_of(const RunCheckpoint& checkpoint) {
  const auto length = number_of<std::int64_t>(checkpoint, "--max_seq_length");
  if (length > 0) return length;
  throw UserError(fmt::format("{}: state.json says that --max_seq_length was {}; expected a number above 0",
                              checkpoint.folder().string(), length));
}

bool flag_of(const RunCheckpoint& checkpoint, std::string_view name) { return fact(checkpoint, name) == "true"; }

/// Unset where the run was started without.
std::optional<std::string> prompt_of(const RunCheckpoint& checkpoint, std::string_view name) {
  const std::string* prompt = find_fact(checkpoint.facts(), name);
  return prompt ? std::optional(*prompt) : std::nullopt;
}

bool brackets_of(const RunCheckpoint& checkpoint) { return flag_of(checkpoint, "--specb"); }

/// What a card tells of the options; `target` is the folder that it lies in.
TrainOptions options_for_card(const RunCheckpoint& checkpoint, const fs::path& target) {
  TrainOptions options;
  options.output = target;
  options.command = checkpoint.command();
  options.pooling = pooling_of(checkpoint);
  options.brackets = brackets_of(checkpoint);
  options.query_prompt = prompt_of(checkpoint, "--query_prompt");
  options.document_prompt = prompt_of(checkpoint, "--document_prompt");
  options.max_seq_length = max_seq_length_of(checkpoint);
  options.shuffle = !flag_of(checkpoint, "--no_shuffle");
  options.batch_size = number_of<std::int64_t>(checkpoint, "--train_batch_size");
  options.epochs = number_of<std::int64_t>(checkpoint, "--epochs");
  options.steps_per_epoch = number_of<std::int64_t>(checkpoint, "--steps_per_epoch");
  options.learning_rate = number_of<double>(checkpoint, "--lr");
  options.scheduler = fact(checkpoint, "--scheduler");
  options.warmup_steps = number_of<std::int64_t>(checkpoint, "--warmup_steps");
  options.weight_decay = number_of<double>(checkpoint, "--weight_decay");
  options.max_gradient_norm = number_of<double>(checkpoint, "--max_grad_norm");
  options.scale = number_of<double>(checkpoint, "--scale");
  options.freeze_non_bias = flag_of(checkpoint, "--freezenonbias");
  options.grad_cache = flag_of(checkpoint, "--gradcache");
  options.chunk_size = number_of<std::int64_t>(checkpoint, "--chunksize");
  options.freeze = flag_of(checkpoint, "--freeze");
  options.train_word_embeddings = flag_of(checkpoint, "--unfreezewte");
  options.train_norms = find_fact(checkpoint.facts(), "--train_norms") != nullptr;
  if (checkpoint.is_adapter()) options.adapter = checkpoint.folder();
  if (find_fact(checkpoint.facts(), "--lora_r")) {
    options.lora = LoraOptions{.rank = number_of<std::int64_t>(checkpoint, "--lora_r"),
                               .alpha = number_of<double>(checkpoint, "--lora_alpha"),
                               .rank_stabilised = flag_of(checkpoint, "--use_rslora"),
                               .targets = fact(checkpoint, "--lora_targets")};
  }
  options.no_duplicates = flag_of(checkpoint, "--no_duplicates");
  options.seed = number_of<std::uint64_t>(checkpoint, "--seed");
  options.gradient_accumulation = number_of<std::int64_t>(checkpoint, "--gradient_accumulation");
  if (find_fact(checkpoint.facts(), "--nli")) {
    // Without pairs: this checkpoint was not chosen by its score on them.
    options.nli.emplace().share_examples = flag_of(checkpoint, "--share_examples");
  }
  options.compute = compute_type_of(checkpoint);
  return options;
}

TensorToWrite as_it_is(const CheckpointTensor& source) {
  return {.name = source.name, .type = source.type, .shape = source.shape, .bytes = source.bytes, .fill = {}};
}

}  // namespace

std::vector<RunCheckpoint> checkpoints_of_run(const fs::path& run) {
  std::vector<RunCheckpoint> found = RunCheckpoints::all(run);
  const fs::path beside = RunCheckpoints(run, {}).folder();
  if (found.empty()) found = RunCheckpoints::all(beside);
  if (!found.empty()) return found;
  throw UserError(
      fmt::format("no whole checkpoint step-N in {} or {}: name the folder that sgpt train wrote them to, "
                  "MODEL_SAVE_PATH.checkpoints",
                  run.string(), beside.string()));
}

std::string model_name(const RunCheckpoint& checkpoint) {
  const fs::path folder = fs::absolute(checkpoint.folder()).lexically_normal();
  const fs::path run = folder.parent_path();
  const fs::path name = run.extension() == ".checkpoints" ? run.stem() : run.filename();
  return fmt::format("{}/{}", name.string(), folder.filename().string());
}

EncoderOptions encoder_options(const RunCheckpoint& checkpoint, EncoderOptions options) {
  if (!options.brackets) options.brackets = brackets_of(checkpoint);
  if (options.pooling.empty()) options.pooling = {pooling_of(checkpoint)};
  if (!options.max_seq_length) options.max_seq_length = max_seq_length_of(checkpoint);
  const auto set = [&](PromptChoice& choice, std::string_view name) {
    if (!choice.text && !choice.name) choice.text = prompt_of(checkpoint, name);
  };
  set(options.query_prompt, "--query_prompt");
  set(options.document_prompt, "--document_prompt");
  if (checkpoint.is_adapter()) {
    options.adapter = checkpoint.folder();
  } else {
    options.trained = checkpoint.trained();
  }
  return options;
}

void check_base_model(const RunCheckpoint& checkpoint, const fs::path& base) {
  if (std::error_code none; !fs::exists(base, none)) {
    throw UserError(fmt::format("{}: the run began with the model {}, which is not there: name its folder with --model",
                                checkpoint.folder().string(), base.string()));
  }
  const ModelFolder folder = read_model_folder(base);
  const Checkpoint weights = Checkpoint::open(folder.transformer);
  if (fingerprint_text(model_fingerprint(folder.config, weights)) == fact(checkpoint, kBaseModelFact)) return;
  throw UserError(fmt::format("{} is not the model that the run of {} began with: its weights have another checksum",
                              base.string(), checkpoint.folder().string()));
}

void save_checkpoint_model(const RunCheckpoint& checkpoint, const fs::path& base, const fs::path& target) {
  ModelFolder settings = read_model_folder(base);
  settings.pooling = {pooling_of(checkpoint)};
  settings.brackets = brackets_of(checkpoint);
  settings.max_seq_length = max_seq_length_of(checkpoint);
  set_prompts(settings, prompt_of(checkpoint, "--query_prompt"), prompt_of(checkpoint, "--document_prompt"));
  settings.sentences.similarity = Similarity::cosine;
  const TrainOptions options = options_for_card(checkpoint, target);
  const RunPosition& position = checkpoint.position();
  const std::string card = model_card({.options = options,
                                       .settings = settings,
                                       .batches = position.batches,
                                       .processes = number_of<std::int64_t>(checkpoint, "the number of processes"),
                                       .program = checkpoint.program(),
                                       .step = position.step,
                                       .total_steps = position.total_steps});
  std::vector<TensorToWrite> tensors;
  if (checkpoint.is_adapter()) {
    const MappedFile file(checkpoint.folder() / kAdapterWeights);
    for (const CheckpointTensor& source : read_safetensors(file)) tensors.push_back(as_it_is(source));
    const MappedFile config(checkpoint.folder() / kAdapterFile);
    return write_adapter_folder(settings, config.text(), target, tensors, card);
  }
  Checkpoint weights = Checkpoint::open(settings.transformer);
  weights.replace_with(checkpoint.trained());
  for (const ParameterInfo& parameter : decoder_parameters(settings.config)) {
    tensors.push_back(as_it_is(require_parameter(weights, parameter, true)));
  }
  write_model_folder(settings, settings.transformer, target, tensors, card);
}

}  // namespace sgpt
