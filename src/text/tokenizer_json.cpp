// Writes a trained tokenizer as `tokenizers` writes BLOOM's.
#include <fmt/format.h>

#include <iterator>

#include "base/json_string.h"
#include "text/bpe_trainer.h"
#include "text/word_scanner.h"

namespace sgpt {

namespace {

std::string added_tokens(const TrainedBpe& trained) {
  std::string list;
  for (std::size_t id = 0; id < trained.special_tokens; ++id) {
    fmt::format_to(std::back_inserter(list),
                   "{}    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                   "\"normalized\": false, \"special\": true}}",
                   id == 0 ? "\n" : ",\n", id, json_quoted(trained.tokens[id]));
  }
  return list;
}

std::string vocabulary(const TrainedBpe& trained) {
  std::string list;
  for (std::size_t id = 0; id < trained.tokens.size(); ++id) {
    fmt::format_to(std::back_inserter(list), "{}      {}: {}", id == 0 ? "\n" : ",\n", json_quoted(trained.tokens[id]),
                   id);
  }
  return list;
}

/// As pairs of strings, which any reader of today takes, and which no token with a space in it can confuse.
std::string merges(const TrainedBpe& trained) {
  std::string list;
  for (std::size_t i = 0; i < trained.merges.size(); ++i) {
    const auto [left, right] = trained.merges[i];
    fmt::format_to(std::back_inserter(list), "{}      [{}, {}]", i == 0 ? "\n" : ",\n",
                   json_quoted(trained.tokens[left]), json_quoted(trained.tokens[right]));
  }
  return list;
}

}  // namespace

std::string tokenizer_json(const TrainedBpe& trained) {
  return fmt::format(R"({{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [{}
  ],
  "normalizer": null,
  "pre_tokenizer": {{
    "type": "Sequence",
    "pretokenizers": [
      {{"type": "Split", "pattern": {{"Regex": {}}}, "behavior": "Isolated", "invert": false}},
      {{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}}
    ]
  }},
  "post_processor": {{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": false}},
  "decoder": {{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false}},
  "model": {{
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {{{}
    }},
    "merges": [{}
    ]
  }}
}}
)",
                     added_tokens(trained), json_quoted(kBloomPattern), vocabulary(trained), merges(trained));
}

}  // namespace sgpt
