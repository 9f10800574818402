// What training makes of a model folder's settings that are no weights.
#pragma once

#include <optional>
#include <string>

#include "model/model_folder.h"

namespace sgpt {

/// Throws UserError, saying why, where modules stand between the pooling and the embedding: the loss would not see
/// them.
void require_trainable_modules(const ModelFolder& folder);

/// Puts given prompts in the place of those that the folder has for queries and documents.
void set_prompts(ModelFolder& folder, const std::optional<std::string>& query,
                 const std::optional<std::string>& document);

}  // namespace sgpt
