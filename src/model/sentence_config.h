// config_sentence_transformers.json: the prompts that a model's texts begin with, and how its embeddings are compared.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sgpt/similarity.h"

namespace sgpt {

/// Strings that are put before texts, by their names; "" counts as one.
struct Prompts {
  std::map<std::string, std::string, std::less<>> by_name = {};
  std::optional<std::string> default_name = {};  ///< of one that is there

  /// Null when there is none of that name.
  const std::string* find(std::string_view name) const;
  /// The names of those that are not "".
  std::vector<std::string> names() const;
};

struct SentenceConfig {
  Prompts prompts = {};
  Similarity similarity = Similarity::cosine;
  std::vector<std::string> unknown_keys = {};
};

/// The defaults where there is no such file. Throws UserError naming file and key when it is broken, or names a default
/// prompt that it does not have.
SentenceConfig read_sentence_config(const std::filesystem::path& path);

/// The file's text, for every version of sentence-transformers.
std::string sentence_config(const Prompts& prompts, Similarity similarity);

}  // namespace sgpt
