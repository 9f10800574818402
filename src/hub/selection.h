// Which files of a model are needed: configuration, tokenizer, and one set of weights in the form that is read best.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sgpt {

struct Selection {
  std::vector<std::string> files;    ///< all but the weights
  std::vector<std::string> weights;  ///< without the shards
  std::vector<std::string> indexes;  ///< files of weights that name further ones, the shards
};

/// Of what the hub lists, sentence-transformers folder or plain checkpoint. Throws UserError when a listed name is no
/// safe path, or when the model has no configuration, no tokenizer.json or no weights that sgpt reads; `model` is its
/// name for the message.
Selection select_files(const std::string& model, const std::vector<std::string>& listing);

/// The files named by a …index.json, with the index's own folder, each once. Throws UserError when it is broken or
/// names an unsafe path.
std::vector<std::string> shards_of(const std::filesystem::path& snapshot, const std::string& index);

/// What a snapshot has not: one that another program fetched may hold just some of the files.
struct Lacking {
  /// The first file without which no model can be loaded from it, or that is a link whose target is gone.
  std::optional<std::string> needed;
  bool weights = false;  ///< the weights are not whole
  /// Files that would be read if they were there, and of which the cache does not say that the hub has none.
  std::vector<std::string> unknown;
};

/// `no_exist`: the folder of empty files that name those that the hub has not.
Lacking lacking_in(const std::filesystem::path& snapshot, const std::filesystem::path& no_exist);

}  // namespace sgpt
