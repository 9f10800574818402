// Training, and BEIR's evaluation.
#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "encode/encoder_team.h"
#include "python/bindings.h"
#include "retrieval/beir_evaluation.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"

namespace sgpt::python {
namespace {

/// Keywords are named as the program's options.
TrainOptions options_from(const py::dict& given) {
  TrainOptions options;
  take(given, "model_name", options.model);
  take(given, "train_data", options.train_data);
  take(given, "model_save_path", options.output);
  take(given, "log_file", options.log_file);
  take(given, "specb", options.brackets);
  take(given, "query_prompt", options.query_prompt);
  take(given, "document_prompt", options.document_prompt);
  take(given, "max_seq_length", options.max_seq_length);
  take(given, "negatives_per_query", options.negatives_per_query);
  take(given, "train_dataset_max_size", options.train_dataset_max_size);
  take(given, "shuffle", options.shuffle);
  take(given, "no_duplicates", options.no_duplicates);
  take(given, "train_batch_size", options.batch_size);
  take(given, "epochs", options.epochs);
  take(given, "steps_per_epoch", options.steps_per_epoch);
  take(given, "gradient_accumulation", options.gradient_accumulation);
  take(given, "lr", options.learning_rate);
  take(given, "scheduler", options.scheduler);
  take(given, "warmup_steps", options.warmup_steps);
  take(given, "weight_decay", options.weight_decay);
  take(given, "max_grad_norm", options.max_gradient_norm);
  take(given, "scale", options.scale);
  take(given, "seed", options.seed);
  take(given, "freeze", options.freeze);
  take(given, "freezenonbias", options.freeze_non_bias);
  take(given, "unfreezewte", options.train_word_embeddings);
  take(given, "gradcache", options.grad_cache);
  take(given, "chunksize", options.chunk_size);
  take(given, "activation_memory", options.activation_memory);
  take(given, "checkpoints", options.checkpoints);
  take(given, "checkpoint_save_steps", options.checkpoint_save_steps);
  take(given, "checkpoint_save_total_limit", options.checkpoint_save_total_limit);
  take(given, "resume", options.resume);
  take(given, "threads", options.threads);
  take(given, "backend", options.backend);
  take(given, "command", options.command);
  options.pooling = pooling_mode_from(given["pooling"].cast<std::string>()).value();
  options.compute = compute_type_from(given["dtype"].cast<std::string>()).value();
  return options;
}

/// An interrupt, or what on_step throws, ends the step in work; the run then saves a checkpoint, and it is thrown on.
py::dict train_model(const py::dict& given, const py::object& on_step) {
  TrainOptions options = options_from(given);
  KeptException kept;
  options.stop = [&] { return !kept.ask([] {}); };
  options.on_step = [&](const TrainStep& step) {
    kept.ask([&] {
      using py::operator""_a;
      if (on_step.is_none()) return;
      on_step(py::dict("step"_a = step.step, "total_steps"_a = step.total_steps, "loss"_a = step.loss,
                       "gradient_norm"_a = step.gradient_norm, "learning_rate"_a = step.learning_rate,
                       "tokens"_a = step.tokens, "tokens_per_second"_a = step.tokens_per_second));
    });
  };
  TrainResult result;
  {
    const py::gil_scoped_release computing;
    result = train(options);
  }
  kept.throw_on();
  using py::operator""_a;
  return py::dict("was_finished"_a = result.was_finished, "steps"_a = result.steps, "resumed_at"_a = result.resumed_at,
                  "tokens"_a = result.tokens, "last_loss"_a = result.last_loss, "seconds"_a = result.seconds,
                  "examples"_a = result.examples, "trained_parameters"_a = result.trained_parameters);
}

/// {data set: {"NDCG@10": …}}
py::dict evaluate_folder(const Encoder& encoder, const std::string& data_path, const std::string& data_set,
                         const std::string& split, bool keep_same_ids,
                         const std::optional<std::filesystem::path>& run_file,
                         const std::optional<std::filesystem::path>& cache) {
  std::vector<DataSetResult> results;
  {
    const py::gil_scoped_release computing;
    const std::vector<NamedDataSet> data_sets = find_data_sets(data_path, data_set);
    for (const NamedDataSet& found : data_sets) {
      check_data_set(found, {.split = split, .run_file = run_file.has_value(), .keep_same_ids = keep_same_ids});
    }
    const EncoderTeam team(encoder);
    results = evaluate_data_sets(
        [&](const NamedDataSet& found, const BeirOptions& options) { return evaluate_data_set(team, found, options); },
        data_sets, {.split = split, .run_file = run_file.value_or(""), .keep_same_ids = keep_same_ids, .cache = cache},
        [](const DataSetResult&) {});
  }
  py::dict tables;
  for (const DataSetResult& result : results) tables[py::str(result.data_set)] = named(result.values, result.cutoffs);
  return tables;
}

}  // namespace

void add_training(py::module_& m) {
  using py::arg;
  m.def("train", &train_model, arg("options"), arg("on_step") = py::none());
  m.def("evaluate_beir", &evaluate_folder, arg("encoder"), arg("data_path"), py::kw_only(), arg("data_set") = "",
        arg("split") = "", arg("keep_same_ids") = false, arg("run_file") = py::none(), arg("cache") = py::none());
}

}  // namespace sgpt::python
