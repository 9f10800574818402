// What sgpt eval was told.
#pragma once

#include <filesystem>
#include <optional>

#include "cli/beir_arguments.h"
#include "sgpt/encoder.h"

namespace sgpt::cli {

struct EvalArguments : BeirArguments {
  std::filesystem::path model;
  std::filesystem::path checkpoints;
  std::filesystem::path save_best;
  std::filesystem::path sts;
  std::filesystem::path useb;
  std::optional<std::filesystem::path> cache;
  bool update_card = false;
  bool not_normalized = false;
  EncoderOptions encoder;
  std::optional<Similarity> similarity;
};

}  // namespace sgpt::cli
