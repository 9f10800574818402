// A sentence-transformers folder, or a plain causal-LM checkpoint: everything but the weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/embedding_head.h"
#include "model/sentence_config.h"
#include "sgpt/pooling.h"

namespace sgpt {

struct ModelFolder {
  std::filesystem::path path;  ///< as given
  std::filesystem::path
      transformer;  ///< where config.json and the weights lie: path, a sub-folder, or an adapter's base
  std::filesystem::path adapter = {};  ///< a PEFT adapter's folder, to be added to the weights; empty: none
  std::filesystem::path tokenizer;     ///< where the tokenizer's files lie: transformer, or the adapter's folder
  Architecture config;
  bool has_modules = false;          ///< modules.json is there; otherwise a plain checkpoint
  std::vector<PoolingMode> pooling;  ///< never empty; a plain checkpoint: weightedmean
  bool include_prompt = true;        ///< pooling looks at a prompt's tokens too
  std::vector<HeadModule> head;      ///< modules after the pooling, but for a last Normalize
  bool normalize = false;            ///< a Normalize module is the last
  SentenceConfig sentences;          ///< prompts, and how embeddings are compared
  bool lower_case = false;           ///< do_lower_case
  std::int64_t max_seq_length = 300;
  std::optional<bool> brackets;  ///< what our own file records, or what is known of a published model; else unset
  std::string name;     ///< ORG/NAME in the hub's cache, else the last part of the path: what its results are called
  std::string dropout;  ///< "hidden_dropout 0.1, …": asked for in training by config.json, not applied; else empty

  /// tokenizer.json, or the first of those that stand in for it; whether it is there or not.
  std::filesystem::path tokenizer_file() const;
};

/// A model's name, fit to be part of a file's.
std::string file_name_of(std::string name);

/// With `adapter`, the folder of a PEFT adapter: that one's tokenizer and modules, where it has any, stand in the place
/// of those in `path`. A `path` that is an adapter itself is read over its base model, where that is a folder of this
/// machine (lora_config.h). Throws UserError naming file and key when something is missing, broken or not supported (a
/// module that is none of Transformer, Pooling, Dense and Normalize, say).
ModelFolder read_model_folder(const std::filesystem::path& path, const std::filesystem::path& adapter = {});

}  // namespace sgpt
