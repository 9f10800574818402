#include "text/step_sections.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "sgpt/error.h"
#include "text/model_section.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace sgpt {

namespace {

void check_byte_level_keys(const JsonNode& node) {
  node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

std::string_view type_of(const JsonNode& node) { return node.required("type").string(); }

/// A list of steps under `key` of a Sequence, or the one step itself.
template <class Step>
void for_each_step(const JsonNode& node, std::string_view key, const Step& step) {
  if (type_of(node) != "Sequence") {
    step(node);
    return;
  }
  node.only({"type", key});
  const JsonNode list = node.required(key);
  std::size_t i = 0;
  for (const simdjson::dom::element value : list.array()) for_each_step(list.at(i++, value), key, step);
}

/// The pattern of a Split or a Replace: a text to be found as it stands, or a regular expression.
struct Pattern {
  JsonNode node;
  bool is_literal;
  std::string_view text;
};

Pattern read_pattern(const JsonNode& step) {
  const JsonNode pattern = step.required("pattern");
  pattern.only({"String", "Regex"});
  const auto literal = pattern.find("String");
  return {pattern, literal.has_value(), literal ? literal->string() : pattern.required("Regex").string()};
}

void read_replace(const JsonNode& node, Normalizer& result) {
  node.only({"type", "pattern", "content"});
  const Pattern pattern = read_pattern(node);
  std::string content(node.required("content").string());
  if (pattern.is_literal) {
    if (pattern.text.empty()) pattern.node.complain("expected a text to replace, found an empty one");
    result.add_replace(std::string(pattern.text), std::move(content));
    return;
  }
  try {
    result.add_replace(Regex(pattern.text), std::move(content));
  } catch (const UserError& error) {
    pattern.node.complain(error.what());
  }
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
  node.only({"type", "pattern", "behavior", "invert"});
  const Pattern pattern = read_pattern(node);
  const SplitBehavior behavior = split_behavior(node.required("behavior"));
  try {
    result.add_split(pattern.is_literal ? escaped_pattern(pattern.text) : std::string(pattern.text), behavior,
                     node.boolean_or("invert", false));
  } catch (const UserError& error) {
    pattern.node.complain(error.what());
  }
}

std::string read_character(const JsonNode& node) {
  const std::string_view text = node.string();
  if (text.empty() || utf8_length(static_cast<unsigned char>(text.front())) != text.size()) {
    node.expected("one character");
  }
  return std::string(text);
}

/// A pre_tokenizer, or a decoder.
struct Metaspace {
  std::string sign;
  PrependScheme scheme;
  bool split;
};

Metaspace read_metaspace(const JsonNode& node) {
  node.only({"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
  Metaspace result{read_character(node.required("replacement")), PrependScheme::always, node.boolean_or("split", true)};
  if (const auto scheme = node.find("prepend_scheme")) {
    const std::string_view name = scheme->string();
    if (name != "first" && name != "always" && name != "never") scheme->expected("first, always or never");
    if (name == "first") result.scheme = PrependScheme::first;
    if (name == "never") result.scheme = PrependScheme::never;
  }
  if (!node.boolean_or("add_prefix_space", true) && result.scheme != PrependScheme::never) {
    node.required("add_prefix_space").complain("false goes with the prepend_scheme \"never\" only");
  }
  return result;
}

std::int32_t read_id(const JsonNode& node) {
  return static_cast<std::int32_t>(node.integer_below(Vocabulary::kIdLimit));
}

/// "single" is a list of special tokens with the text ({"Sequence": {"id": "A"}}) among them; "pair" is for two texts.
SpecialTokens read_template(const JsonNode& node) {
  node.only({"type", "single", "pair", "special_tokens"});
  SpecialTokens result;
  const JsonNode single = node.required("single");
  bool text_is_there = false;
  std::size_t i = 0;
  for (const simdjson::dom::element value : single.array()) {
    const JsonNode piece = single.at(i++, value);
    piece.only({"Sequence", "SpecialToken"});
    if (const auto sequence = piece.find("Sequence")) {
      if (sequence->required("id").string() != "A") sequence->expected("the text A, which is the only one");
      if (text_is_there) refuse_part(*sequence, "a template with the text twice");
      text_is_there = true;
      continue;
    }
    const JsonNode ids = node.required("special_tokens")
                             .required(piece.required("SpecialToken").required("id").string())
                             .required("ids");
    std::size_t k = 0;
    for (const simdjson::dom::element id : ids.array()) {
      (text_is_there ? result.behind : result.before).push_back(read_id(ids.at(k++, id)));
    }
  }
  if (!text_is_there) refuse_part(single, "a template without the text");
  return result;
}

/// The id of a ["token", id].
std::int32_t read_token_and_id(const JsonNode& node) {
  const simdjson::dom::array pair = node.array();
  if (pair.size() != 2) node.expected("a token and its id, as [\"</s>\", 2]");
  return read_id(node.at(std::size_t{1}, pair.at(1)));
}

void read_strip(const JsonNode& node, Decoder& result) {
  constexpr std::uint32_t kMost = 1u << 24;
  node.only({"type", "content", "start", "stop"});
  const std::uint32_t begin = node.required("start").integer_below(kMost);
  const std::uint32_t end = node.required("stop").integer_below(kMost);
  result.add_strip(read_character(node.required("content")), begin, end);
}

}  // namespace

Normalizer read_normalizer(const JsonNode& root) {
  Normalizer result;
  const auto node = root.find("normalizer");
  if (!node) return result;
  for_each_step(*node, "normalizers", [&](const JsonNode& step) {
    const std::string_view type = type_of(step);
    if (type == "NFC") {
      step.only({"type"});
      result.add_nfc();
    } else if (type == "Prepend") {
      step.only({"type", "prepend"});
      result.add_prepend(std::string(step.required("prepend").string()));
    } else if (type == "Replace") {
      read_replace(step, result);
    } else {
      refuse_part(step, fmt::format("the normalizer \"{}\"", type));
    }
  });
  return result;
}

PreTokenizer read_pre_tokenizer(const JsonNode& root) {
  PreTokenizer result;
  const auto node = root.find("pre_tokenizer");
  if (!node) return result;
  for_each_step(*node, "pretokenizers", [&](const JsonNode& step) {
    const std::string_view type = type_of(step);
    if (result.byte_level()) refuse_part(step, fmt::format("the pre_tokenizer \"{}\" behind a ByteLevel", type));
    if (type == "Split") {
      read_split(step, result);
    } else if (type == "ByteLevel") {
      check_byte_level_keys(step);
      result.set_byte_level(step.boolean_or("add_prefix_space", true), step.boolean_or("use_regex", true));
    } else if (type == "Metaspace") {
      if (result.has_steps()) refuse_part(step, "a pre_tokenizer \"Metaspace\" behind another");
      const Metaspace metaspace = read_metaspace(step);
      result.set_metaspace(metaspace.sign, metaspace.scheme, metaspace.split);
    } else {
      refuse_part(step, fmt::format("the pre_tokenizer \"{}\"", type));
    }
  });
  return result;
}

SpecialTokens read_post_processor(const JsonNode& root) {
  SpecialTokens result;
  const auto node = root.find("post_processor");
  if (!node) return result;
  bool found = false;
  for_each_step(*node, "processors", [&](const JsonNode& step) {
    const std::string_view type = type_of(step);
    if (type == "ByteLevel") {  // changes offsets only
      check_byte_level_keys(step);
      return;
    }
    if (found) refuse_part(step, fmt::format("the post_processor \"{}\" behind another that adds tokens", type));
    found = true;
    if (type == "TemplateProcessing") {
      result = read_template(step);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      step.only({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
      result = {{read_token_and_id(step.required("cls"))}, {read_token_and_id(step.required("sep"))}};
    } else {
      refuse_part(step, fmt::format("the post_processor \"{}\"", type));
    }
  });
  return result;
}

Decoder read_decoder(const JsonNode& root) {
  Decoder result;
  const auto node = root.find("decoder");
  if (!node) return result;
  bool any = false;
  for_each_step(*node, "decoders", [&](const JsonNode& step) {
    any = true;
    const std::string_view type = type_of(step);
    if (type == "ByteLevel") {
      check_byte_level_keys(step);
      result.add_byte_level();
    } else if (type == "Replace") {
      Normalizer replace;
      read_replace(step, replace);
      result.add_replace(std::move(replace));
    } else if (type == "ByteFallback" || type == "Fuse") {
      step.only({"type"});
      type == "Fuse" ? result.add_fuse() : result.add_byte_fallback();
    } else if (type == "Strip") {
      read_strip(step, result);
    } else if (type == "Metaspace") {
      const Metaspace metaspace = read_metaspace(step);
      result.add_metaspace(metaspace.sign, metaspace.scheme);
    } else {
      refuse_part(step, fmt::format("the decoder \"{}\"", type));
    }
  });
  if (!any) refuse_part(*node, "a decoder without a step");
  return result;
}

}  // namespace sgpt
