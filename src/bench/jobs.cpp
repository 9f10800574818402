#include "bench/jobs.h"

#include <sys/resource.h>

#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backend/tile_peak.h"
#include "base/threads.h"
#include "bench/products.h"
#include "encode/batching.h"
#include "encode/compute_choice.h"
#include "encode/encoder_parts.h"
#include "model/lora_adapter.h"
#include "retrieval/dataset.h"
#include "sgpt/error.h"
#include "train/model_settings.h"
#include "train/trainer.h"

namespace sgpt::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWarmUp = 2;  // texts or examples: enough to touch everything once

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::size_t peak_rss() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

std::vector<std::string> first_documents(const DataSetFolder& data, std::int64_t count) {
  std::vector<std::string> texts;
  CorpusReader corpus(data.corpus());
  Document document;
  while (static_cast<std::int64_t>(texts.size()) < count && corpus.next(document)) texts.push_back(document.content);
  if (static_cast<std::int64_t>(texts.size()) < count) {
    throw UserError(fmt::format("{}: {} documents are asked for, but only {} are there", data.corpus().string(), count,
                                texts.size()));
  }
  return texts;
}

/// Query i, document i as what answers it, document batch + i as what does not (beginning again where they end): real
/// texts, and the meaning is beside the point here.
std::vector<TextExample> first_examples(const DataSetFolder& data, const TrainBench& job) {
  const std::vector<Query> queries = read_queries(data.queries());
  if (static_cast<std::int64_t>(queries.size()) < job.batch) {
    throw UserError(fmt::format("{}: {} queries are asked for, but only {} are there", data.queries().string(),
                                job.batch, queries.size()));
  }
  const std::vector<std::string> documents = first_documents(data, job.documents > 0 ? job.documents : 2 * job.batch);
  std::vector<TextExample> examples;
  const auto batch = static_cast<std::size_t>(job.batch);
  for (std::size_t i = 0; i < batch; ++i) {
    examples.push_back({queries[i].text, documents[i % documents.size()], {documents[(batch + i) % documents.size()]}});
  }
  return examples;
}

/// The backend of a job, and where to ask for its profile: null unless one is wanted.
struct MeasuredBackend {
  MeasuredBackend(const std::string& name, bool profiled) : backend(make_backend(name)) {
    if (!profiled) return;
    auto wrapped = std::make_unique<ProfiledBackend>(std::move(backend));
    profile = wrapped.get();
    backend = std::move(wrapped);
  }
  std::unique_ptr<Backend> backend;
  ProfiledBackend* profile = nullptr;
};

/// Rows of a profile, when oneDNN takes `product_seconds` for all of the job's products; `rows` of d numbers are what
/// most operations read and write.
std::vector<ProfileRow> rows_of(const ProfiledBackend& profile, double tokenizer_seconds, const BenchResult& result,
                                std::int64_t rows, std::int64_t d) {
  const double flops = profile.of(Work::products).flops + profile.of(Work::products_backward).flops +
                       profile.of(Work::products_weight).flops;
  const auto bytes = static_cast<std::size_t>(rows * d) * sizeof(float);
  return profile_rows(profile, {flops / result.product_seconds, copying_speed(bytes)}, tokenizer_seconds,
                      result.seconds);
}

}  // namespace

BenchResult bench_encode(const std::filesystem::path& model, const std::filesystem::path& data, const EncodeBench& job,
                         const EncoderOptions& options) {
  const std::vector<std::string> texts = first_documents({data}, job.documents);
  const ThreadScope threads(options.threads);
  MeasuredBackend measured(options.backend, job.profile);
  const Encoder::Parts parts(model, options, std::move(measured.backend));
  BenchResult result;
  result.compute = *parts.options.compute;
  parts.encode(std::span(texts).first(std::min(kWarmUp, texts.size())), TextKind::document);
  if (measured.profile) measured.profile->clear();

  const auto start = Clock::now();
  parts.encode(texts, TextKind::document);
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = peak_rss();
  result.model_bytes = parts.checkpoint.bytes();

  const auto tokenizer_start = Clock::now();
  const std::vector<TokenIds> ids = parts.preparation.ids(texts, TextKind::document);
  const double tokenizer_seconds = seconds_since(tokenizer_start);
  std::vector<std::int64_t> rows;
  for (const auto& places : plan_batches(ids, parts.options.token_budget)) {
    rows.push_back(pack_texts(ids, places).tokens());
    result.tokens += rows.back();
  }
  result.texts = static_cast<std::int64_t>(texts.size());
  result.product_seconds = seconds_of_products(parts.folder.config, rows, ProductPass::forward);
  result.product_operations = operations_of_products(parts.folder.config, rows);
  result.tile_peak = tile_peak(result.compute);
  if (measured.profile) {
    result.profile = rows_of(*measured.profile, tokenizer_seconds, result, rows.front(), parts.folder.config.hidden);
  }
  return result;
}

BenchResult bench_train(const std::filesystem::path& model_folder, const std::filesystem::path& data,
                        const TrainBench& job, const EncoderOptions& options) {
  const ThreadScope threads(options.threads);
  const std::vector<TextExample> examples = first_examples({data}, job);
  const ModelFolder folder = read_model_folder(model_folder);
  require_trainable_modules(folder);
  const TextPreparation preparation(Tokenizer::load(folder.tokenizer), folder,
                                    {.brackets = options.brackets,
                                     .max_seq_length = options.max_seq_length,
                                     .query_prompt = options.query_prompt,
                                     .document_prompt = options.document_prompt,
                                     .plain_prompt = options.plain_prompt});
  const MeasuredBackend measured(options.backend, job.profile);
  Backend& backend = *measured.backend;
  const Checkpoint checkpoint = open_weights(folder);
  const ComputeType compute =
      choose_compute_type(options.compute.value_or(ComputeType::f32), backend, matrix_type(checkpoint, folder.config),
                          WeightUse::forward_and_backward);
  Decoder model(backend, checkpoint, folder.config, trained_parameters({.non_bias = !job.all_parameters}), compute);
  TrainerOptions trainer_options;
  trainer_options.pooling = options.pooling.empty() ? folder.pooling : options.pooling;
  trainer_options.warmup_steps = 0;
  trainer_options.total_steps = 1 + job.steps;
  trainer_options.chunk_size = job.chunk_size;
  trainer_options.activation_memory =
      job.activation_memory < 0 ? default_activation_memory() : static_cast<std::size_t>(job.activation_memory);
  Trainer trainer(backend, model, trainer_options);
  trainer.step(make_batch(preparation, std::span(examples).first(std::min(kWarmUp, examples.size()))));
  for (std::int64_t i = 1; i < job.steps; ++i) trainer.step(make_batch(preparation, examples));
  if (measured.profile) measured.profile->clear();

  BenchResult result;
  result.compute = compute;
  const auto start = Clock::now();
  const TrainingBatch batch = make_batch(preparation, examples);
  const double tokenizer_seconds = seconds_since(start);
  const StepResult step = trainer.step(batch);
  result.seconds = seconds_since(start);
  result.peak_rss_bytes = peak_rss();
  result.model_bytes = checkpoint.bytes();
  result.tokens = step.tokens;
  result.texts = batch.size() * static_cast<std::int64_t>(batch.columns.size());

  // Forward for every chunk, what of it was computed again, and backward for every chunk: inputs, and weights if
  // trained.
  const std::vector<std::int64_t> rows = batch.chunk_tokens(job.chunk_size);
  const double forward_passes = 1 + step.pass.computed_again;
  result.product_seconds = forward_passes * seconds_of_products(folder.config, rows, ProductPass::forward) +
                           seconds_of_products(folder.config, rows, ProductPass::backward_input);
  result.product_operations =
      (forward_passes + (job.all_parameters ? 2 : 1)) * operations_of_products(folder.config, rows);
  result.tile_peak = tile_peak(result.compute);
  if (job.all_parameters) {
    result.product_seconds += seconds_of_products(folder.config, rows, ProductPass::backward_weight);
  }
  if (measured.profile) {
    result.profile = rows_of(*measured.profile, tokenizer_seconds, result, rows.front(), folder.config.hidden);
  }
  return result;
}

}  // namespace sgpt::bench
