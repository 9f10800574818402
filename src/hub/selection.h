// Which files of a model are needed: configuration, tokenizer, and one set of weights in the form that is read best.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sgpt {

struct Selection {
  std::vector<std::string> files;    ///< without the shards
  std::vector<std::string> indexes;  ///< those of `files` that name further ones, the shards
};

/// Of what the hub lists, sentence-transformers folder or plain checkpoint. Throws UserError when a listed name is no
/// safe path, or when the model has no configuration, no tokenizer.json or no weights that sgpt reads; `model` is its
/// name for the message.
Selection select_files(const std::string& model, const std::vector<std::string>& listing);

/// The files named by a …index.json, with the index's own folder, each once. Throws UserError when it is broken or
/// names an unsafe path.
std::vector<std::string> shards_of(const std::filesystem::path& snapshot, const std::string& index);

/// The first file that a snapshot still needs, or nothing when a model can be loaded from it. One that another program
/// fetched may hold just some of the files.
std::optional<std::string> missing_file(const std::filesystem::path& snapshot);

}  // namespace sgpt
