// 1_Pooling/config.json of a sentence-transformers folder, in the spelling of every version.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "sgpt/pooling.h"

namespace sgpt {

struct PoolingConfig {
  std::vector<PoolingMode> modes;  ///< in the order in which their vectors are concatenated; never empty
  bool include_prompt = true;      ///< false: a prompt's tokens have no part in them
};

/// Throws UserError, naming file and key, when the file is broken, names a mode that is not known, or speaks of another
/// hidden size.
PoolingConfig read_pooling_config(const std::filesystem::path& path, std::int64_t hidden);

/// The file's text. The old keys, which every version reads; modes in an order that these cannot express: the new ones.
std::string pooling_config(std::span<const PoolingMode> modes, std::int64_t hidden, bool include_prompt = true);

}  // namespace sgpt
