#include "train/model_settings.h"

#include <fmt/format.h>

#include "base/hub_path.h"
#include "sgpt/error.h"

namespace sgpt {

void require_trainable_modules(const ModelFolder& folder) {
  if (folder.head.empty()) return;
  throw UserError(fmt::format(
      "{}: the model has the module {} after its pooling, through which sgpt does not train: the loss would "
      "be of other embeddings than the model gives; it can be encoded with, and converted",
      model_shown(folder.path), folder.head.front().folder.filename().string()));
}

void set_prompts(ModelFolder& folder, const std::optional<std::string>& query,
                 const std::optional<std::string>& document) {
  auto& prompts = folder.sentences.prompts.by_name;
  if (query) prompts["query"] = *query;
  if (document) prompts["document"] = *document;
}

}  // namespace sgpt
