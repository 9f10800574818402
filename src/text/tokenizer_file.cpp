#include "text/tokenizer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/hub_path.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "text/json_node.h"
#include "text/model_section.h"
#include "text/step_sections.h"

namespace sgpt {

namespace {

/// Ids without a token would reach the model unseen.
void check_special_tokens(const JsonNode& root, const TokenizerParts& parts) {
  const auto known = [&](std::int32_t id) {
    return parts.model.vocabulary.token_of(static_cast<std::uint32_t>(id)).has_value() ||
           std::any_of(parts.added_tokens.begin(), parts.added_tokens.end(),
                       [&](const AddedToken& token) { return token.id == static_cast<std::uint32_t>(id); });
  };
  for (const auto* ids : {&parts.special_tokens.before, &parts.special_tokens.behind}) {
    for (const std::int32_t id : *ids) {
      if (known(id)) continue;
      root.required("post_processor").complain(fmt::format("no token has the id {}, which it adds", id));
    }
  }
}

AddedToken read_added_token(const JsonNode& node) {
  node.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  AddedToken token;
  token.content = node.required("content").string();
  if (token.content.empty()) node.complain("an added token with an empty \"content\"");
  token.file_id = node.required("id").integer_below(Vocabulary::kIdLimit);
  token.single_word = node.boolean_or("single_word", false);
  token.lstrip = node.boolean_or("lstrip", false);
  token.rstrip = node.boolean_or("rstrip", false);
  token.special = node.boolean_or("special", false);
  token.normalized = node.boolean_or("normalized", !token.special);
  return token;
}

/// Their ids are those that `tokenizers` gives them; a file that says otherwise of a token in the vocabulary
/// contradicts itself.
std::vector<AddedToken> read_added_tokens(const JsonNode& root, const Vocabulary& vocabulary) {
  std::vector<AddedToken> result;
  const auto list = root.find("added_tokens");
  if (!list) return result;
  Vocabulary seen;
  bool told = false;
  std::size_t i = 0;
  for (const simdjson::dom::element value : list->array()) {
    const JsonNode node = list->at(i++, value);
    AddedToken token = read_added_token(node);
    const auto id = vocabulary.id_of(token.content);
    if (id && *id != token.file_id) {
      node.complain(
          fmt::format("\"{}\" has the id {} here and {} in the vocabulary", token.content, token.file_id, *id));
    }
    if (const auto other = vocabulary.token_of(token.file_id); !id && other) {
      node.complain(fmt::format("the id {} belongs to \"{}\" in the vocabulary", token.file_id, *other));
    }
    if (seen.add(token.content, token.file_id) != Vocabulary::Added::yes) {
      node.complain(fmt::format("\"{}\" or its id {} stands in the list twice", token.content, token.file_id));
    }
    token.id = added_token_id(token.content, vocabulary, result);
    if (token.id != token.file_id) {
      if (vocabulary.token_of(token.id) && !id) {
        node.complain(
            fmt::format("\"{}\" would get the id {}, the next behind the {} tokens of the vocabulary, but \"{}\" "
                        "has it",
                        token.content, token.id, vocabulary.size(), *vocabulary.token_of(token.id)));
      }
      if (!told)
        log::warning(
            node.told(fmt::format("\"{}\" has the id {}, as in tokenizers and transformers, not {}: ids of added "
                                  "tokens follow one another",
                                  token.content, token.id, token.file_id)));
      told = true;
    }
    result.push_back(std::move(token));
  }
  return result;
}

void read_truncation(const JsonNode& root, TokenizerParts& parts) {
  const auto node = root.find("truncation");
  if (!node) return;
  node->only({"direction", "max_length", "strategy", "stride"});
  const auto direction = node->find("direction");
  if (!direction) return;
  if (direction->string() != "Left" && direction->string() != "Right") direction->expected("Left or Right");
  parts.cuts_left = direction->string() == "Left";
}

void read_padding(const JsonNode& root, TokenizerParts& parts) {
  const auto node = root.find("padding");
  if (!node) return;
  node->only({"strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token"});
  if (const auto token = node->find("pad_token")) parts.pad_token = token->string();
}

}  // namespace

TokenizerParts read_tokenizer_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  const std::string_view text = file.text();
  if (const auto error = parser.parse(text.data(), text.size()).get(document)) {
    throw UserError(fmt::format("{}: this tokenizer.json is no valid JSON ({}): the file is damaged or cut short{}",
                                path.string(), simdjson::error_message(error), repair_advice(path)));
  }
  const JsonNode root(path.string(), "", document);
  root.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
             "decoder", "model"});
  if (const auto version = root.find("version"); version && version->string() != "1.0") version->expected("\"1.0\"");
  PreTokenizer pre_tokenizer = read_pre_tokenizer(root);
  Normalizer normalizer = read_normalizer(root);
  SpecialTokens special_tokens = read_post_processor(root);
  Decoder decoder = read_decoder(root);
  BpeModel model = read_model_section(root.required("model"), pre_tokenizer.byte_level());
  auto added_tokens = read_added_tokens(root, model.vocabulary);
  TokenizerParts parts{.model = std::move(model),
                       .normalizer = std::move(normalizer),
                       .pre_tokenizer = std::move(pre_tokenizer),
                       .added_tokens = std::move(added_tokens),
                       .special_tokens = std::move(special_tokens),
                       .decoder = std::move(decoder)};
  check_special_tokens(root, parts);
  read_truncation(root, parts);
  read_padding(root, parts);
  return parts;
}

std::uint32_t added_token_id(std::string_view content, const Vocabulary& vocabulary,
                             const std::vector<AddedToken>& added) {
  if (const auto id = vocabulary.id_of(content)) return *id;
  auto next = static_cast<std::uint32_t>(vocabulary.size());
  for (const AddedToken& token : added) next = std::max(next, token.id + 1);
  return next;
}

}  // namespace sgpt
