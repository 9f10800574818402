// Which model is this? For everything that keeps embeddings and must know whether they still belong to it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "sgpt/encoder.h"

namespace sgpt {

/// One line that changes when the model's files change: the folder, name, size and time of every file that makes a
/// model, and a checksum of their content, which takes samples of every large tensor and all the rest whole.
std::string model_identity(const Encoder& encoder);
/// Of any model: the folder with config.json, its weights, and the file that stands in for some of them, if any. (That
/// of an encoder names the Dense modules too.)
std::string model_identity(const std::filesystem::path& transformer, const Checkpoint& checkpoint,
                           const std::filesystem::path& trained = {});
/// The same with the adapter that was added to the weights, where there is one.
std::string model_identity(const ModelFolder& folder, const Checkpoint& checkpoint,
                           const std::filesystem::path& trained = {});

/// One line that names every option that an embedding depends on: brackets, length, pooling, normalising, backend,
/// type, and prompts and what else there is of them.
std::string embedding_options(const Encoder& encoder);

/// Of queries and documents: prompts and whatever else a search may choose that changes its results under the name of
/// one model; empty where there is nothing.
std::string chosen_options(const Encoder& encoder);

/// embedding_options for what keeps embeddings of texts of one kind, which must not mix bits: with the kernel, where
/// another one computes other bits. As of the encoder, or of one that computes in `type`.
std::string embedding_key(const Encoder& encoder, TextKind kind, std::optional<ComputeType> type = {});

/// The first type with which `matches` is content: the encoder's own, or another that ComputeType::automatic may stand
/// for with its weights on this machine. With that one automatic goes on where embeddings are there already.
std::optional<ComputeType> matching_type(const Encoder& encoder, const std::function<bool(ComputeType)>& matches);

}  // namespace sgpt
