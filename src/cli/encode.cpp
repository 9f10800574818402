// sgpt encode: a file of texts to a NumPy file of embeddings.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/output_target.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/ranks.h"
#include "encode/encode_file.h"

namespace sgpt::cli {
namespace {

struct Options {
  std::filesystem::path model;
  EncodeFileJob job;
  std::string format = "auto";
  EncoderOptions encoder;
};

TextFormat format_from(const std::string& name) {
  if (name == "jsonl") return TextFormat::json_lines;
  if (name == "lines") return TextFormat::lines;
  return TextFormat::automatic;
}

void encode(const EncoderTeam& team, EncodeFileJob job) {
  std::int64_t rows = 0;
  {
    Progress progress("encoding", "texts", count_texts(job.input, job.format));
    job.on_rows = [&](std::int64_t done) { progress.update(done); };
    rows = encode_file(team, job);
  }
  log::info(fmt::format("{}: {} embeddings of {} numbers", job.output.string(), rows, team.encoder().dimension()));
}

void run(Communicator& ranks, Options& options) {
  options.job.format = format_from(options.format);
  const std::filesystem::path folder = model_folder(options.model, options.encoder.adapter, ranks);
  if (ranks.first()) {
    require_writable(options.job.output);
    GivenPaths()
        .reads("--input", options.job.input)
        .reads_model("--model", folder)
        .reads_model("--adapter", options.encoder.adapter)
        .writes_resumable("--output", options.job.output, ".progress")
        .check();
  }
  const Encoder encoder = load_encoder(folder, options.encoder, ranks, [&](const Encoder& loaded) {
    return recorded_compute_type(loaded, options.job);
  });
  with_team(encoder, ranks, [&](const EncoderTeam& team) { encode(team, options.job); });
}

}  // namespace

void add_encode(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "encode",
      "Turns texts into embeddings: a NumPy file with one row of float32 a text, in the order of the input.\n"
      "A run that was stopped continues where it was when the same command is given again.\n"
      "Under mpirun all processes share the work.");
  add_model_option(*command, "--model", options->model);
  command
      ->add_option(
          "--input", options->job.input,
          "Texts: what begins with '{', or with '[' and '{', holds JSON objects, one a line or in a list, with "
          "\"text\"\n"
          "and, as in BEIR's corpora, maybe \"title\"; any other file holds one text a line. Packed with gzip or not;\n"
          "- is stdin")
      ->required()
      ->type_name("FILE");
  command->add_option("--output", options->job.output, "Where the embeddings go, such as out.npy; - is stdout")
      ->required()
      ->type_name("FILE.npy");
  auto* kind = command->add_option_group("kind", "What the texts are; brackets and prompts depend on it");
  kind->add_flag_callback(
      "--query", [options] { options->job.kind = TextKind::query; }, "The texts are queries");
  kind->add_flag_callback(
      "--document", [options] { options->job.kind = TextKind::document; }, "The texts are documents to be found");
  kind->add_flag_callback(
      "--plain", [options] { options->job.kind = TextKind::plain; },
      "The texts are neither, but sentences to be compared (in brackets as queries are)");
  kind->require_option(1);
  command->add_option("--format", options->format, "How to read the input, where its name does not tell")
      ->check(CLI::IsMember({"auto", "jsonl", "lines"}))
      ->type_name("NAME")
      ->capture_default_str();
  add_encoder_options(*command, options->encoder);
  add_prompt_options(*command, options->encoder);
  command->callback([options] { with_ranks([&](Communicator& ranks) { run(ranks, *options); }); });
}

}  // namespace sgpt::cli
