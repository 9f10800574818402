#include "text/model_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "text/byte_alphabet.h"

namespace sgpt {

namespace {

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
  MergeAdder adder(model);
  std::size_t i = 0;
  for (const simdjson::dom::element value : node.array()) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS && text.starts_with("#version")) {  // the first line of a merges.txt
      ++i;
      continue;
    }
    const auto [left, right] = merged_tokens(node, i, value);
    if (const auto missing = adder.add(left, right)) {
      node.at(i, value).complain(fmt::format("the token \"{}\" is not in the vocabulary", *missing));
    }
    ++i;
  }
}

/// Whether the vocabulary has a token for each byte, so that nothing is unknown.
bool has_all_bytes(const Vocabulary& vocabulary, bool byte_level) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (!vocabulary.id_of(byte_level ? letters_of({&c, 1}) : byte_token(static_cast<unsigned char>(byte))))
      return false;
  }
  return true;
}

/// Options that change how BPE works may only stand there with the values that change nothing.
void check_neutral_options(const JsonNode& node) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const auto option = node.find(key);
    if (option && !option->string().empty()) refuse_part(*option, fmt::format("{} \"{}\"", key, option->string()));
  }
  if (const auto dropout = node.find("dropout"); dropout && dropout->number() != 0)
    refuse_part(*dropout, "BPE dropout");
}

/// What becomes of characters that are no tokens.
void read_unknown(const JsonNode& node, BpeModel& model) {
  model.byte_fallback = node.boolean_or("byte_fallback", false);
  if (model.byte_fallback && model.byte_level) {
    refuse_part(node.required("byte_fallback"), "byte_fallback in a byte-level tokenizer");
  }
  model.fuse_unknown = node.boolean_or("fuse_unk", false);
  const auto unknown = node.find("unk_token");
  if (!unknown || ((model.byte_level || model.byte_fallback) && has_all_bytes(model.vocabulary, model.byte_level))) {
    return;
  }
  if (model.byte_level) refuse_part(*unknown, "unk_token with a vocabulary that lacks single bytes");
  model.unknown = model.vocabulary.id_of(unknown->string());
  if (!model.unknown) unknown->complain(fmt::format("\"{}\" is not in the vocabulary", unknown->string()));
}

}  // namespace

void refuse_part(const JsonNode& node, std::string_view what) {
  node.complain(
      fmt::format("{} is not supported; sgpt reads BPE tokenizers, byte-level ones (BLOOM, GPT-2, Qwen, Llama 3) and "
                  "those made from SentencePiece's (Llama 2, Mistral, Gemma)",
                  what));
}

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

std::optional<std::string> MergeAdder::add(std::string_view left, std::string_view right) {
  const std::string joined = std::string(left).append(right);
  std::array<std::uint32_t, 3> ids{};
  for (std::size_t i = 0; const std::string_view token : {left, right, std::string_view(joined)}) {
    const auto id = model_.vocabulary.id_of(token);
    if (!id) return std::string(token);
    ids[i++] = *id;
  }
  // Should a pair stand there twice, its last place counts, as in `tokenizers`.
  *model_.merges.insert(pair_key(ids[0], ids[1]), {}).first = {rank_++, ids[2]};
  return std::nullopt;
}

BpeModel read_model_section(const JsonNode& node, bool byte_level) {
  node.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
             "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (const auto type = node.find("type"); type && type->string() != "BPE") {
    refuse_part(*type, fmt::format("the model \"{}\"", type->string()));
  }
  check_neutral_options(node);
  const JsonNode vocabulary = node.required("vocab");
  const JsonNode merges = node.required("merges");
  BpeModel model{Vocabulary(vocabulary.object().size()), PairMap<MergeRule>(merges.array().size())};
  model.byte_level = byte_level;
  model.ignore_merges = node.boolean_or("ignore_merges", false);
  read_vocabulary(vocabulary, model.vocabulary);
  read_merges(merges, model);
  read_unknown(node, model);
  return model;
}

}  // namespace sgpt
