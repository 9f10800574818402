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

/// A keyword, named as the program's option, and what it sets.
template <class Value>
using Field = std::pair<const char*, Value TrainOptions::*>;

using Whole = std::int64_t;
constexpr Field<std::filesystem::path> kPaths[] = {{"model_name", &TrainOptions::model},
                                                   {"train_data", &TrainOptions::train_data},
                                                   {"model_save_path", &TrainOptions::output},
                                                   {"log_file", &TrainOptions::log_file}};
constexpr Field<std::optional<std::string>> kPrompts[] = {{"query_prompt", &TrainOptions::query_prompt},
                                                          {"document_prompt", &TrainOptions::document_prompt}};
constexpr Field<std::string> kNames[] = {
    {"scheduler", &TrainOptions::scheduler}, {"backend", &TrainOptions::backend}, {"command", &TrainOptions::command}};
constexpr Field<Whole> kWholes[] = {{"max_seq_length", &TrainOptions::max_seq_length},
                                    {"negatives_per_query", &TrainOptions::negatives_per_query},
                                    {"train_dataset_max_size", &TrainOptions::train_dataset_max_size},
                                    {"train_batch_size", &TrainOptions::batch_size},
                                    {"epochs", &TrainOptions::epochs},
                                    {"steps_per_epoch", &TrainOptions::steps_per_epoch},
                                    {"gradient_accumulation", &TrainOptions::gradient_accumulation},
                                    {"chunksize", &TrainOptions::chunk_size},
                                    {"checkpoint_save_steps", &TrainOptions::checkpoint_save_steps},
                                    {"checkpoint_save_total_limit", &TrainOptions::checkpoint_save_total_limit}};
constexpr Field<double> kNumbers[] = {{"lr", &TrainOptions::learning_rate},
                                      {"weight_decay", &TrainOptions::weight_decay},
                                      {"max_grad_norm", &TrainOptions::max_gradient_norm},
                                      {"scale", &TrainOptions::scale}};
constexpr Field<bool> kFlags[] = {{"specb", &TrainOptions::brackets},
                                  {"shuffle", &TrainOptions::shuffle},
                                  {"no_duplicates", &TrainOptions::no_duplicates},
                                  {"freeze", &TrainOptions::freeze},
                                  {"freezenonbias", &TrainOptions::freeze_non_bias},
                                  {"unfreezewte", &TrainOptions::train_word_embeddings},
                                  {"gradcache", &TrainOptions::grad_cache},
                                  {"checkpoints", &TrainOptions::checkpoints},
                                  {"resume", &TrainOptions::resume}};

template <class Value, std::size_t kFields>
void take(const py::dict& given, const Field<Value> (&fields)[kFields], TrainOptions& options) {
  for (const auto& [name, member] : fields) {
    if (given.contains(name)) options.*member = given[name].template cast<Value>();
  }
}

TrainOptions options_from(const py::dict& given) {
  TrainOptions options;
  take(given, kPaths, options);
  take(given, kPrompts, options);
  take(given, kNames, options);
  take(given, kWholes, options);
  take(given, kNumbers, options);
  take(given, kFlags, options);
  options.pooling = pooling_mode_from(given["pooling"].cast<std::string>()).value();
  options.compute = compute_type_from(given["dtype"].cast<std::string>()).value();
  options.seed = given["seed"].cast<std::uint64_t>();
  options.threads = given["threads"].cast<int>();
  options.warmup_steps = given["warmup_steps"].cast<std::optional<Whole>>();
  options.activation_memory = given["activation_memory"].cast<std::optional<std::size_t>>();
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
