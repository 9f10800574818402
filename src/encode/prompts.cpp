#include "encode/prompts.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hub_path.h"
#include "base/nearest_name.h"
#include "base/unicode.h"
#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

const std::string& named_prompt(const ModelFolder& folder, const std::string& name) {
  const Prompts& prompts = folder.sentences.prompts;
  if (const std::string* prompt = prompts.find(name)) return *prompt;
  std::vector<std::string> there;
  for (const auto& [known, prompt] : prompts.by_name) there.push_back(known);
  const std::string known = there.empty() ? "it has none" : fmt::format("there are {}", listed(there));
  throw UserError(fmt::format("{}: the model has no prompt of the name {}: {}{}", model_shown(folder.path), shown(name),
                              known, did_you_mean(name, there)));
}

/// The folder's own, where nobody chose; null for none. To sentence-transformers 6 a folder that names no prompt
/// "query" or "document" has an empty one: other names, and the default, are then for those who ask for them, and for
/// plain texts.
const std::string* own_prompt(const Prompts& prompts, TextKind kind) {
  if (kind != TextKind::plain) return prompts.find(name_of(kind));
  return prompts.default_name ? prompts.find(*prompts.default_name) : nullptr;
}

/// Names under which other programs look for the prompt before documents.
constexpr std::array<std::string_view, 2> kDocuments{"passage", "corpus"};

}  // namespace

std::string_view name_of(TextKind kind) {
  switch (kind) {
    case TextKind::query: return "query";
    case TextKind::document: return "document";
    case TextKind::plain: break;
  }
  return "plain";
}

std::string choose_prompt(const ModelFolder& folder, TextKind kind, const PromptChoice& choice) {
  if (choice.text && choice.name) {
    throw UserError(
        fmt::format("a prompt was given as a text and as the name {}; expected one of the two", shown(*choice.name)));
  }
  if (choice.name) return named_prompt(folder, *choice.name);
  if (!choice.text) {
    const std::string* own = own_prompt(folder.sentences.prompts, kind);
    return own ? *own : std::string();
  }
  if (const auto byte = invalid_utf8(*choice.text)) {
    throw UserError(fmt::format("the prompt is no valid UTF-8 at byte {}", *byte));
  }
  return *choice.text;
}

std::string unused_prompts(const ModelFolder& folder, TextKind kind, const PromptChoice& choice) {
  const Prompts& prompts = folder.sentences.prompts;
  std::vector<std::string> names = prompts.names();
  if (kind == TextKind::document) {  // those of queries alone are nothing that documents lack
    std::erase_if(names, [&](const std::string& name) {
      return std::find(kDocuments.begin(), kDocuments.end(), name) == kDocuments.end() && name != prompts.default_name;
    });
  }
  if (names.empty() || kind == TextKind::plain || choice.text || choice.name || own_prompt(prompts, kind)) return "";
  const bool query = kind == TextKind::query;
  return fmt::format(
      "{}: the model has prompts ({}), but none of the name {}: {} stand without, as in sentence-transformers, unless "
      "one is chosen by its name (--{}_prompt_name)",
      model_shown(folder.path), listed(names), name_of(kind), query ? "queries" : "documents", name_of(kind));
}

}  // namespace sgpt
