#include "text/tokenizer_file.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "text/byte_alphabet.h"
#include "text/json_node.h"

namespace sgpt {

namespace {

[[noreturn]] void refuse(const JsonNode& node, std::string_view what) {
  node.complain(fmt::format("{} is not supported; sgpt reads byte-level BPE tokenizers (BLOOM, GPT-2, GPT-Neo)", what));
}

std::string_view type_of(const JsonNode& node) { return node.required("type").string(); }

// ---- the model
// -------------------------------------------------------------------------------------------------------

void read_vocabulary(const JsonNode& node, Vocabulary& vocabulary) {
  for (const auto [token, value] : node.object()) {
    // The node is made only where there is something to complain about: there are 250,000 of them.
    std::uint64_t id = 0;
    if (value.get(id) != simdjson::SUCCESS || id >= Vocabulary::kIdLimit) {
      node.at(token, value).integer_below(Vocabulary::kIdLimit);
    }
    switch (vocabulary.add(token, static_cast<std::uint32_t>(id))) {
      case Vocabulary::Added::yes: break;
      case Vocabulary::Added::token_is_taken: node.complain(fmt::format("the token \"{}\" stands there twice", token));
      case Vocabulary::Added::id_is_taken:
        node.complain(fmt::format("\"{}\" and \"{}\" have the same id {}",
                                  vocabulary.token_of(static_cast<std::uint32_t>(id)).value_or(""), token, id));
    }
  }
}

/// The two tokens of a merge: "a b", or ["a", "b"].
std::pair<std::string_view, std::string_view> merged_tokens(const JsonNode& merges, std::size_t i,
                                                            simdjson::dom::element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    const std::size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  simdjson::dom::array pair;
  std::string_view left;
  std::string_view right;
  if (value.get(pair) == simdjson::SUCCESS && pair.size() == 2 && pair.at(0).get(left) == simdjson::SUCCESS &&
      pair.at(1).get(right) == simdjson::SUCCESS) {
    return {left, right};
  }
  merges.at(i, value).expected("two tokens, as \"a b\" or [\"a\", \"b\"]");
}

void read_merges(const JsonNode& node, BpeModel& model) {
  std::uint32_t rank = 0;
  std::size_t i = 0;
  std::string joined;
  for (const simdjson::dom::element value : node.array()) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS && text.starts_with("#version")) {  // the first line of a merges.txt
      ++i;
      continue;
    }
    const auto [left, right] = merged_tokens(node, i, value);
    joined.assign(left).append(right);
    const auto id = [&](std::string_view token) {
      const auto found = model.vocabulary.id_of(token);
      if (!found) node.at(i, value).complain(fmt::format("the token \"{}\" is not in the vocabulary", token));
      return *found;
    };
    const std::uint32_t left_id = id(left);  // one after the other: the message names the first that is missing
    const std::uint64_t pair = pair_key(left_id, id(right));
    // Should a pair stand there twice, its last place counts, as in `tokenizers`.
    *model.merges.insert(pair, {}).first = {rank++, id(joined)};
    ++i;
  }
}

bool has_all_bytes(const Vocabulary& vocabulary) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (!vocabulary.id_of(letters_of({&c, 1}))) return false;
  }
  return true;
}

/// Options that change how BPE works may only stand there with the values that change nothing.
void check_neutral_options(const JsonNode& node) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const auto option = node.find(key);
    if (option && !option->string().empty()) refuse(*option, fmt::format("{} \"{}\"", key, option->string()));
  }
  if (const auto dropout = node.find("dropout"); dropout && dropout->number() != 0) refuse(*dropout, "BPE dropout");
  if (node.boolean_or("byte_fallback", false)) refuse(node.required("byte_fallback"), "byte_fallback");
}

BpeModel read_model(const JsonNode& node, bool byte_level) {
  if (const auto type = node.find("type"); type && type->string() != "BPE") {
    refuse(*type, fmt::format("the model \"{}\"", type->string()));
  }
  check_neutral_options(node);
  const JsonNode vocabulary = node.required("vocab");
  const JsonNode merges = node.required("merges");
  BpeModel model{Vocabulary(vocabulary.object().size()), PairMap<MergeRule>(merges.array().size())};
  model.byte_level = byte_level;
  model.ignore_merges = node.boolean_or("ignore_merges", false);
  read_vocabulary(vocabulary, model.vocabulary);
  read_merges(merges, model);
  // With a token for every byte nothing is unknown, and an unk_token has no effect.
  const auto unknown = node.find("unk_token");
  if (unknown && !(byte_level && has_all_bytes(model.vocabulary))) {
    refuse(*unknown, "unk_token with a vocabulary that lacks single bytes");
  }
  return model;
}

// ---- around the model
// ------------------------------------------------------------------------------------------------

/// A list of steps under `key` of a Sequence, or the one step itself.
template <class Step>
void for_each_step(const JsonNode& node, std::string_view key, const Step& step) {
  if (type_of(node) != "Sequence") {
    step(node);
    return;
  }
  const JsonNode list = node.required(key);
  std::size_t i = 0;
  for (const simdjson::dom::element value : list.array()) for_each_step(list.at(i++, value), key, step);
}

void check_normalizer(const JsonNode& root) {
  const auto node = root.find("normalizer");
  if (!node) return;
  for_each_step(*node, "normalizers",
                [](const JsonNode& step) { refuse(step, fmt::format("the normalizer \"{}\"", type_of(step))); });
}

SplitBehavior split_behavior(const JsonNode& node) {
  const std::string_view name = node.string();
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  node.expected("Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

void read_split(const JsonNode& node, PreTokenizer& result) {
  const JsonNode pattern = node.required("pattern");
  const auto literal = pattern.find("String");
  const std::string expression =
      literal ? escaped_pattern(literal->string()) : std::string(pattern.required("Regex").string());
  const SplitBehavior behavior = split_behavior(node.required("behavior"));
  try {
    result.add_split(expression, behavior, node.boolean_or("invert", false));
  } catch (const UserError& error) {
    pattern.complain(error.what());
  }
}

PreTokenizer read_pre_tokenizer(const JsonNode& root) {
  PreTokenizer result;
  const auto node = root.find("pre_tokenizer");
  if (!node) return result;
  for_each_step(*node, "pretokenizers", [&](const JsonNode& step) {
    const std::string_view type = type_of(step);
    if (result.byte_level()) refuse(step, fmt::format("the pre_tokenizer \"{}\" behind a ByteLevel", type));
    if (type == "Split") {
      read_split(step, result);
    } else if (type == "ByteLevel") {
      result.set_byte_level(step.boolean_or("add_prefix_space", true), step.boolean_or("use_regex", true));
    } else {
      refuse(step, fmt::format("the pre_tokenizer \"{}\"", type));
    }
  });
  return result;
}

/// What these add (special tokens) or change (offsets) we never use: the Encoder puts brackets around a text itself.
void check_post_processor(const JsonNode& root) {
  const auto node = root.find("post_processor");
  if (!node) return;
  for_each_step(*node, "processors", [](const JsonNode& step) {
    const std::string_view type = type_of(step);
    if (type != "ByteLevel" && type != "TemplateProcessing")
      refuse(step, fmt::format("the post_processor \"{}\"", type));
  });
}

bool read_decoder(const JsonNode& root) {
  const auto node = root.find("decoder");
  if (!node) return false;
  int steps = 0;
  for_each_step(*node, "decoders", [&](const JsonNode& step) {
    if (type_of(step) != "ByteLevel" || ++steps > 1) refuse(step, fmt::format("the decoder \"{}\"", type_of(step)));
  });
  if (steps == 0) refuse(*node, "a decoder without a step");
  return true;
}

// ---- added tokens
// ----------------------------------------------------------------------------------------------------

AddedToken read_added_token(const JsonNode& node) {
  AddedToken token;
  token.content = node.required("content").string();
  if (token.content.empty()) node.complain("an added token with an empty \"content\"");
  token.id = node.required("id").integer_below(Vocabulary::kIdLimit);
  token.single_word = node.boolean_or("single_word", false);
  token.lstrip = node.boolean_or("lstrip", false);
  token.rstrip = node.boolean_or("rstrip", false);
  token.special = node.boolean_or("special", false);
  token.normalized = node.boolean_or("normalized", !token.special);
  return token;
}

std::vector<AddedToken> read_added_tokens(const JsonNode& root, const Vocabulary& vocabulary) {
  std::vector<AddedToken> result;
  const auto list = root.find("added_tokens");
  if (!list) return result;
  Vocabulary seen;
  std::size_t i = 0;
  for (const simdjson::dom::element value : list->array()) {
    const JsonNode node = list->at(i++, value);
    AddedToken token = read_added_token(node);
    const auto id = vocabulary.id_of(token.content);
    if (id && *id != token.id) {
      node.complain(fmt::format("\"{}\" has the id {} here and {} in the vocabulary", token.content, token.id, *id));
    }
    if (!id && vocabulary.token_of(token.id)) {
      node.complain(
          fmt::format("the id {} belongs to \"{}\" in the vocabulary", token.id, *vocabulary.token_of(token.id)));
    }
    if (seen.add(token.content, token.id) != Vocabulary::Added::yes) {
      node.complain(fmt::format("\"{}\" or its id {} stands in the list twice", token.content, token.id));
    }
    result.push_back(std::move(token));
  }
  return result;
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
  PreTokenizer pre_tokenizer = read_pre_tokenizer(root);
  check_normalizer(root);
  check_post_processor(root);
  const bool decodes_bytes = read_decoder(root);
  BpeModel model = read_model(root.required("model"), pre_tokenizer.byte_level());
  auto added_tokens = read_added_tokens(root, model.vocabulary);
  return {std::move(model), std::move(pre_tokenizer), std::move(added_tokens), decodes_bytes};
}

}  // namespace sgpt
