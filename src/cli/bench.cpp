// sgpt bench: how fast encoding, training and single queries are on this machine, beside the limit that their matrix
// products set.
#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/jobs.h"
#include "bench/latency.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"

namespace sgpt::cli {
namespace {

using bench::BenchResult;
using bench::LatencyResult;

constexpr std::int64_t kMost = std::int64_t{1} << 30;
constexpr std::int64_t kMostThreads = 4096;

struct Options {
  std::filesystem::path model;
  std::string data;
  bench::EncodeBench encode;
  bench::TrainBench train;
  std::int64_t queries = 200;
  bool json = false;
  EncoderOptions encoder;
};

void print_profile(const BenchResult& result) {
  fmt::print("{:>30} {:>10} {:>8}   {}\n", "", "seconds", "share", "of the machine's limit for it");
  for (const bench::ProfileRow& row : result.profile) {
    const auto limit = row.limit_seconds ? fmt::format("{:.2f}", *row.limit_seconds / row.seconds) : std::string();
    fmt::print("{:>30} {:10.3f} {:7.1f}%   {}\n", row.work, row.seconds, 100 * row.seconds / result.seconds, limit);
  }
}

void print(const BenchResult& result, bool json) {
  const double fraction = result.product_seconds / result.seconds;
  if (json) {
    nlohmann::ordered_json object;
    object["tokens_per_second"] = result.tokens_per_second();
    object["gemm_limit_tokens_per_second"] = result.limit_tokens_per_second();
    object["fraction_of_limit"] = fraction;
    if (result.tile_peak > 0) {
      object["tile_peak_operations_per_second"] = result.tile_peak;
      object["fraction_of_tile_peak"] = result.share_of_tiles();
    }
    object["dtype"] = name_of(result.compute);
    object["peak_rss_bytes"] = result.peak_rss_bytes;
    object["model_bytes"] = result.model_bytes;
    object["texts"] = result.texts;
    object["tokens"] = result.tokens;
    object["seconds"] = result.seconds;
    for (const bench::ProfileRow& row : result.profile) {
      nlohmann::ordered_json line;
      line["work"] = row.work;
      line["seconds"] = row.seconds;
      line["share"] = row.seconds / result.seconds;
      if (row.limit_seconds) line["limit_seconds"] = *row.limit_seconds;
      object["profile"].push_back(line);
    }
    fmt::print("{}\n", object.dump());
    return;
  }
  constexpr double kGigabyte = 1e9;
  fmt::print("{} texts, {} tokens in {:.2f} s\n", result.texts, result.tokens, result.seconds);
  fmt::print("{:10.1f} tokens/s, computed in {}\n", result.tokens_per_second(), name_of(result.compute));
  fmt::print("{:10.1f} tokens/s would be the limit: the matrix products alone, in oneDNN and f32\n",
             result.limit_tokens_per_second());
  fmt::print("{:10.1f} % of the limit\n", 100 * fraction);
  if (result.tile_peak > 0) {
    constexpr double kTera = 1e12;
    fmt::print("{:10.1f} % of what the processor's tiles can do: {:.2f} TOP/s in {}\n", 100 * result.share_of_tiles(),
               result.tile_peak / kTera, name_of(result.compute));
  }
  fmt::print("{:10.2f} GB of memory at most, {:.2f} GB of weights on the disk\n",
             static_cast<double>(result.peak_rss_bytes) / kGigabyte,
             static_cast<double>(result.model_bytes) / kGigabyte);
  if (!result.profile.empty()) print_profile(result);
}

void print(const LatencyResult& result, bool json) {
  constexpr double kMilliseconds = 1e3;
  const double median = result.median_seconds * kMilliseconds, slow = result.slow_seconds * kMilliseconds,
               limit = result.product_seconds * kMilliseconds;
  if (json) {
    nlohmann::ordered_json object;
    object["median_milliseconds"] = median;
    object["percentile_95_milliseconds"] = slow;
    object["gemm_limit_milliseconds"] = limit;
    object["queries"] = result.queries;
    object["mean_tokens"] = result.tokens;
    fmt::print("{}\n", object.dump());
    return;
  }
  fmt::print("{} queries, one at a time, {:.1f} tokens each on average\n", result.queries, result.tokens);
  fmt::print("{:10.3f} ms in the median\n{:10.3f} ms in the 95th percentile\n", median, slow);
  fmt::print("{:10.3f} ms would be the limit for the average length: the matrix products alone, in oneDNN\n", limit);
}

/// Texts in brackets, unless the user says otherwise, and without prompts.
void bare_brackets(EncoderOptions& options) {
  options.brackets = true;
  options.query_prompt = options.document_prompt = options.plain_prompt = {.text = ""};
}

CLI::App* add_job(CLI::App& bench, const char* name, const char* help, const std::shared_ptr<Options>& options) {
  CLI::App* job = bench.add_subcommand(name, help);
  add_model_option(*job, "--model", options->model);
  job->add_option(names("--data_path"), options->data, "Folder with corpus.jsonl and queries.jsonl, as BEIR has them")
      ->required()
      ->type_name("DIR");
  job->add_flag("--json", options->json, "One JSON object instead of lines for people");
  return job;
}

void add_profile(CLI::App& job, bool& profile) {
  job.add_flag("--profile", profile,
               "Also the share of each kind of work, beside the time that the machine needs for as many\n"
               "multiplications in oneDNN, or to copy as many bytes");
}

void add_latency(CLI::App& bench) {
  auto options = std::make_shared<Options>();
  bare_brackets(options->encoder);
  CLI::App* job = add_job(bench, "latency", "The time of one query alone, from its text to its embedding", options);
  job->add_option("--queries", options->queries, "At most so many queries, the first of the data set")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->capture_default_str();
  add_encoder_options(*job, options->encoder);
  job->callback([options] {
    print(bench::bench_latency(model_folder(options->model, options->encoder.adapter), options->data, options->queries,
                               options->encoder),
          options->json);
  });
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand(
      "bench",
      "Speed on this machine, of encoding, of a training step or of one query, beside the limit that is measured in "
      "the\n"
      "same run: the time that oneDNN alone takes for the same matrix products. Measure on an idle machine.");
  bench->require_subcommand(1);

  auto encode = std::make_shared<Options>();
  bare_brackets(encode->encoder);
  CLI::App* encode_job = add_job(*bench, "encode", "Embeds the first documents of a data set, in brackets", encode);
  encode_job->add_option("--docs", encode->encode.documents, "How many documents")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->capture_default_str();
  add_profile(*encode_job, encode->encode.profile);
  add_encoder_options(*encode_job, encode->encoder);
  encode_job->callback([encode] {
    print(bench::bench_encode(model_folder(encode->model, encode->encoder.adapter), encode->data, encode->encode,
                              encode->encoder),
          encode->json);
  });

  add_latency(*bench);

  auto train = std::make_shared<Options>();
  bare_brackets(train->encoder);
  CLI::App* train_job =
      add_job(*bench, "train",
              "One training step with GradCache: the first queries of a data set, with its first documents\n"
              "as positives and negatives, in brackets",
              train);
  const auto count = [&](const char* name, auto& value, const char* help, std::int64_t least,
                         std::int64_t most = kMost) {
    using Number = std::remove_reference_t<decltype(value)>;
    return train_job->add_option(names(name), value, help)
        ->check(CLI::Range(static_cast<Number>(least), static_cast<Number>(most)))
        ->type_name("N");
  };
  count("--batch", train->train.batch, "Queries in the step", 2)->capture_default_str();
  count("--docs", train->train.documents, "Documents to take positives and negatives from. By default twice the batch",
        1);
  count("--chunksize", train->train.chunk_size, "Texts a column in a chunk of GradCache", 1)->capture_default_str();
  count("--steps", train->train.steps,
        "Steps to make, of which the last is timed. The first also takes memory from the system, for all that follow",
        1)
      ->capture_default_str();
  count("--threads", train->encoder.threads, "Threads to compute with. 0: all cores", 0, kMostThreads)
      ->capture_default_str();
  train_job
      ->add_option(
          names("--activation_memory"), train->train.activation_memory,
          "Bytes for what is kept of a first pass, so that less is computed again. By default half of what is free")
      ->check(CLI::NonNegativeNumber)
      ->type_name("BYTES");
  train_job->add_flag(names("--all_parameters"), train->train.all_parameters,
                      "Train everything, as sgpt train does without --freezenonbias, and not the biases alone");
  train_job
      ->add_option_function<std::string>(
          names("--dtype"), [train](const std::string& name) { train->encoder.compute = compute_type_from(name); },
          "What matrices are multiplied in, as in sgpt train")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->type_name("TYPE")
      ->default_str("f32");
  add_profile(*train_job, train->train.profile);
  train_job->callback([train] {
    print(bench::bench_train(model_folder(train->model), train->data, train->train, train->encoder), train->json);
  });
}

}  // namespace sgpt::cli
