// Which model is this? For everything that keeps embeddings and must know whether they still belong to it.
#pragma once

#include <string>

#include "sgpt/encoder.h"

namespace sgpt {

/// One line that changes when the model's files change: the folder, name, size and time of every file that makes a
/// model, and a checksum of their content, which takes samples of every large tensor and all the rest whole.
std::string model_identity(const Encoder& encoder);

/// One line that names every option that an embedding depends on: brackets, length, pooling, normalising, backend.
std::string embedding_options(const Encoder& encoder);

}  // namespace sgpt
