#include "encode/prompts.h"

#include <array>
#include <span>

#include <fmt/format.h>

#include "base/hub_path.h"
#include "base/nearest_name.h"
#include "base/unicode.h"
#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The names by which a folder has prompts for texts of a kind; the first that is there is taken.
std::span<const std::string_view> usual_names(TextKind kind) {
  static constexpr std::array<std::string_view, 1> kQuery{"query"};
  static constexpr std::array<std::string_view, 3> kDocument{"document", "passage", "corpus"};
  switch (kind) {
    case TextKind::query: return kQuery;
    case TextKind::document: return kDocument;
    case TextKind::plain: break;
  }
  return {};
}

const std::string& named_prompt(const ModelFolder& folder, const std::string& name) {
  const Prompts& prompts = folder.sentences.prompts;
  if (const std::string* prompt = prompts.find(name)) return *prompt;
  std::vector<std::string> there;
  for (const auto& [known, prompt] : prompts.by_name) there.push_back(known);
  const std::string known = there.empty() ? "it has none" : fmt::format("there are {}", listed(there));
  throw UserError(fmt::format("{}: the model has no prompt of the name {}: {}{}", model_shown(folder.path), shown(name),
                              known, did_you_mean(name, there)));
}

/// The folder's own, where nobody chose; null for none.
const std::string* own_prompt(const Prompts& prompts, TextKind kind) {
  for (const std::string_view name : usual_names(kind)) {
    if (const std::string* prompt = prompts.find(name)) return prompt;
  }
  return prompts.default_name ? prompts.find(*prompts.default_name) : nullptr;
}

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

std::string unused_prompts(const ModelFolder& folder, const PromptChoice& query) {
  const Prompts& prompts = folder.sentences.prompts;
  const std::vector<std::string> names = prompts.names();
  if (names.empty() || query.text || query.name || own_prompt(prompts, TextKind::query)) return "";
  return fmt::format(
      "{}: the model has prompts ({}), but none for queries in general, so queries stand without: choose one by its "
      "name, with --query_prompt_name, if that is not meant",
      model_shown(folder.path), listed(names));
}

}  // namespace sgpt
