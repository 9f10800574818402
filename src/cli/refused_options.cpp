#include "cli/refused_options.h"

#include <array>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

struct RefusedOption {
  const char* name;
  bool has_number;
  const char* instead;
};

constexpr std::array<RefusedOption, 11> kRefused{{
    {"--use_pre_trained_model", false, "say what the model's folder says with --pooling, --specb and --max_seq_length"},
    {"--use_amp", false, "use --dtype bf16, or leave it out for exact f32"},
    {"--add_special_token", false, "use --specb, whose brackets are in the vocabulary already"},
    {"--speca", false, "use --specb, whose brackets are in the vocabulary already"},
    {"--asym", false, "one model embeds queries and documents; --specb tells them apart"},
    {"--learntmean", false, "use --pooling weightedmean, whose weights grow with the position"},
    {"--addxlinear", true,
     "the pooled hidden states are the embedding; train more of the model instead, without --freeze"},
    {"--outfeats", true, "an embedding is as long as a hidden state; choose a model of that hidden size"},
    {"--linearthenpool", false, "there are no added linear layers (--addxlinear) that it could move"},
    {"--lora_dropout", true, "LoRA is trained without dropout here, so that a run repeats to the bit; leave it out"},
    {"--useact", false, "there are no added linear layers (--addxlinear) that it could be for"},
}};

}  // namespace

void add_refused_options(CLI::App& command) {
  for (const RefusedOption& refused : kRefused) {
    const auto refuse = [refused] {
      throw UserError(fmt::format("{} is not supported: {}", refused.name, refused.instead));
    };
    CLI::Option* option = nullptr;
    if (refused.has_number) {  // 0, the reference's default, asks for nothing
      option = command.add_option_function<std::string>(names(refused.name), [refuse](const std::string& number) {
        if (number != "0") refuse();
      });
    } else {
      option = command.add_flag_callback(names(refused.name), refuse);
    }
    option->group("");  // not shown in the help
  }
}

}  // namespace sgpt::cli
