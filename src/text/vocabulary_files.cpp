#include "text/vocabulary_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "text/json_node.h"
#include "text/model_section.h"
#include "text/word_scanner.h"

namespace sgpt {

namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& file) {
  std::error_code none;
  return fs::exists(fs::symlink_status(file, none));
}

/// A line has the two tokens of a merge with a space between; the first line may tell a version.
void read_merges_text(const fs::path& path, BpeModel& model) {
  const MappedFile file(path);
  MergeAdder adder(model);
  std::string_view rest = file.text();
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const auto fail = [&](const std::string& what) {
      throw UserError(fmt::format("{}: line {}: {}", path.string(), number, what));
    };
    const std::size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos) {
      fail("expected two tokens with a space between");
    }
    if (const auto missing = adder.add(line.substr(0, space), line.substr(space + 1))) {
      fail(fmt::format("the token \"{}\" is not in vocab.json", *missing));
    }
  }
}

}  // namespace

bool has_vocabulary_files(const fs::path& folder) {
  return !is_there(folder / "tokenizer.json") && (is_there(folder / "vocab.json") || is_there(folder / "merges.txt"));
}

std::string vocabulary_files_class(const fs::path& folder, const std::string& named) {
  std::string name = named;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (name.empty() && is_there(folder / "config.json")) {
    const auto config = nlohmann::json::parse(MappedFile(folder / "config.json").text(), nullptr, false);
    const auto type = config.is_object() ? config.find("model_type") : config.end();
    const bool is_qwen = config.is_object() && type != config.end() && (*type == "qwen2" || *type == "qwen3");
    name = is_qwen ? "Qwen2Tokenizer" : "GPT2Tokenizer";
  }
  if (name.empty()) name = "GPT2Tokenizer";
  if (name == "GPT2Tokenizer" || name == "Qwen2Tokenizer") return name;
  throw UserError(
      fmt::format("{}: tokenizer_class: expected GPT2Tokenizer or Qwen2Tokenizer beside a vocab.json and merges.txt, "
                  "found \"{}\"; save a tokenizer.json with Python's transformers (AutoTokenizer, save_pretrained)",
                  (folder / "tokenizer_config.json").string(), named));
}

TokenizerParts read_vocabulary_files(const fs::path& folder, const std::string& tokenizer_class) {
  for (const char* name : {"vocab.json", "merges.txt"}) {
    if (is_there(folder / name)) continue;
    throw UserError(
        fmt::format("{}: there is no tokenizer.json, and of vocab.json and merges.txt, which do as well, {} is missing",
                    folder.string(), name));
  }
  const fs::path vocabulary_path = folder / "vocab.json";
  const MappedFile file(vocabulary_path);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (const auto error = parser.parse(file.text().data(), file.text().size()).get(document)) {
    throw UserError(fmt::format("{}: no valid JSON ({}): the file is damaged or cut short{}", vocabulary_path.string(),
                                simdjson::error_message(error), repair_advice(vocabulary_path)));
  }
  const JsonNode root(vocabulary_path.string(), "", document);
  BpeModel model{Vocabulary(root.object().size()), PairMap<MergeRule>(root.object().size())};
  read_vocabulary(root, model.vocabulary);
  read_merges_text(folder / "merges.txt", model);

  TokenizerParts parts{.model = std::move(model), .pre_tokenizer = {}, .added_tokens = {}, .special_tokens = {}};
  const bool is_qwen = tokenizer_class == "Qwen2Tokenizer";
  if (is_qwen) {
    parts.normalizer.add_nfc();
    parts.pre_tokenizer.add_split(kQwenPattern, SplitBehavior::isolated, false);
  }
  parts.pre_tokenizer.set_byte_level(false, !is_qwen);
  parts.decoder.add_byte_level();
  return parts;
}

}  // namespace sgpt
