#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "base/output_target.h"
#include "cli/eval_pairs.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "encode/encoder_parts.h"
#include "retrieval/published_scores.h"
#include "retrieval/useb_evaluation.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMain = "results.average_precision.json";
constexpr const char* kDetailed = "results.detailed.json";

/// Where the reference's own embedder cuts texts, whatever the model was trained with.
constexpr std::int64_t kTokens = 2048;

UsebPart part_of(const std::string& split) {
  if (split.empty() || split == "test") return UsebPart::test;
  if (split == "valid" || split == "dev") return UsebPart::valid;
  throw UserError(fmt::format("--split {}: USEB has the parts test and valid", split));
}

void check_output(const fs::path& folder) {
  if (files::exists(folder) && !files::is_folder(folder)) {
    throw UserError(fmt::format("--output {}: with --useb it is the folder for {} and {}, found a file",
                                folder.string(), kMain, kDetailed));
  }
  if (!files::exists(folder)) files::make_folders(folder);
  for (const char* name : {kMain, kDetailed}) require_writable(folder / name);
}

/// Our scores, and below them the published ones of the same model.
std::string table(const UsebResult& result, const std::vector<PublishedUseb>& published) {
  std::string text = fmt::format("{:12}", "");
  for (const auto& task : result.tasks) text += fmt::format("{:>13}", task.name);
  text += fmt::format("{:>10}\n{:12}", "mean", "here");
  for (const auto& task : result.tasks) text += fmt::format("{:13.2f}", task.main_score());
  text += fmt::format("{:10.4f}", result.average());
  for (const PublishedUseb& row : published) {
    text += fmt::format("\n{:12}", "published");
    for (std::size_t i = 0; i < result.tasks.size(); ++i) text += fmt::format("{:13.2f}", row.scores[i]);
    text += fmt::format("{:10.4f}", row.scores.back());
    if (!row.remark.empty()) text += fmt::format("  {}", row.remark);
  }
  return text;
}

}  // namespace

void evaluate_useb_folder(Communicator& ranks, const EvalArguments& arguments) {
  const UsebPart part = part_of(arguments.split);
  const fs::path output = arguments.output == "-" ? "" : arguments.output;
  std::unique_ptr<UsebData> data;
  if (ranks.first()) {
    data = std::make_unique<UsebData>(arguments.useb, part);
    if (!output.empty()) check_output(output);
  }
  EncoderOptions options = arguments.encoder;
  if (!options.brackets) options.brackets = false;
  if (!options.normalize) options.normalize = !arguments.not_normalized;
  if (!options.max_seq_length) options.max_seq_length = kTokens;
  const std::filesystem::path folder = model_folder(arguments.model, options.adapter, ranks);
  const Encoder encoder = load_encoder(folder, options, ranks);
  with_team(encoder, ranks, [&](const EncoderTeam& team) {
    const UsebResult result = data->evaluate(team);
    const std::string& model = encoder.parts().folder.name;
    const auto published = part == UsebPart::test ? published_useb(model) : std::vector<PublishedUseb>{};
    log::info(fmt::format("{} on USEB\n{}", model, table(result, published)));
    if (output.empty()) {
      print_result(fmt::format("{{\"average_precision\": {},\n\"detailed\": {}}}\n", result.average_precision_json(),
                               result.detailed_json()));
      return;
    }
    write_file(output / kDetailed, result.detailed_json());
    write_file(output / kMain, result.average_precision_json());
    log::info(fmt::format("results are in {} and {}", (output / kMain).string(), (output / kDetailed).string()));
  });
}

}  // namespace sgpt::cli
