// sgpt bench: how fast encoding and training are on this machine, beside the limit that their matrix products set.
#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/bench_jobs.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"

namespace sgpt::cli {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 30;
constexpr std::int64_t kMostThreads = 4096;

struct Options {
  std::filesystem::path model;
  std::string data;
  std::int64_t documents = 64;
  TrainBench train;
  bool json = false;
  EncoderOptions encoder;
};

void print(const BenchResult& result, bool json) {
  const double fraction = result.product_seconds / result.seconds;
  if (json) {
    nlohmann::ordered_json object;
    object["tokens_per_second"] = result.tokens_per_second();
    object["gemm_limit_tokens_per_second"] = result.limit_tokens_per_second();
    object["fraction_of_limit"] = fraction;
    object["peak_rss_bytes"] = result.peak_rss_bytes;
    object["model_bytes"] = result.model_bytes;
    object["texts"] = result.texts;
    object["tokens"] = result.tokens;
    object["seconds"] = result.seconds;
    fmt::print("{}\n", object.dump());
    return;
  }
  constexpr double kGigabyte = 1e9;
  fmt::print("{} texts, {} tokens in {:.2f} s\n", result.texts, result.tokens, result.seconds);
  fmt::print("{:10.1f} tokens/s\n", result.tokens_per_second());
  fmt::print("{:10.1f} tokens/s would be the limit: the matrix products alone, in oneDNN\n",
             result.limit_tokens_per_second());
  fmt::print("{:10.1f} % of the limit\n", 100 * fraction);
  fmt::print("{:10.2f} GB of memory at most, {:.2f} GB of weights on the disk\n",
             static_cast<double>(result.peak_rss_bytes) / kGigabyte,
             static_cast<double>(result.model_bytes) / kGigabyte);
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

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand(
      "bench",
      "Tokens a second on this machine, for encoding or for a training step, beside the limit that is measured in the\n"
      "same run: the time that oneDNN alone takes for the same matrix products. Measure on an idle machine.");
  bench->require_subcommand(1);

  auto encode = std::make_shared<Options>();
  encode->encoder.brackets = true;
  CLI::App* encode_job = add_job(*bench, "encode", "Embeds the first documents of a data set, in brackets", encode);
  encode_job->add_option("--docs", encode->documents, "How many documents")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->capture_default_str();
  add_encoder_options(*encode_job, encode->encoder);
  encode_job->callback([encode] {
    print(bench_encode(model_folder(encode->model), encode->data, encode->documents, encode->encoder), encode->json);
  });

  auto train = std::make_shared<Options>();
  train->encoder.brackets = true;
  CLI::App* train_job =
      add_job(*bench, "train",
              "One step of BitFit with GradCache: the first queries of a data set, with its first documents\n"
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
  count("--threads", train->encoder.threads, "Threads to compute with. 0: all cores", 0, kMostThreads)
      ->capture_default_str();
  train_job
      ->add_option(
          names("--activation_memory"), train->train.activation_memory,
          "Bytes for what is kept of a first pass, so that less is computed again. By default half of what is free")
      ->check(CLI::NonNegativeNumber)
      ->type_name("BYTES");
  train_job->callback([train] {
    print(bench_train(model_folder(train->model), train->data, train->train, train->encoder), train->json);
  });
}

}  // namespace sgpt::cli
