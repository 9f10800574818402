#include "train/model_card.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "model/family.h"
#include "sgpt/error.h"
#include "train/nli/nli_recipe.h"

namespace sgpt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFrontMatter = R"(---
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- feature-extraction
- sentence-similarity
---
)";

constexpr std::string_view kCitation = R"(
## Citing & Authors

```bibtex
@article{muennighoff2022sgpt,
  title={SGPT: GPT Sentence Embeddings for Semantic Search},
  author={Muennighoff, Niklas},
  journal={arXiv preprint arXiv:2202.08904},
  year={2022}
}
```
)";

// One text at a time: no padding, so that positions count from the first token of each text.
constexpr std::string_view kPythonWithBrackets = R"(
In Python, with the brackets as tokens of their own:

```python
import torch
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")

def ids(text):
    return model.tokenizer.encode(text, add_special_tokens=False)

def embed(text, brackets):
    tokens = ids(brackets[0]) + ids(text.strip())[:{cut}] + ids(brackets[1])
    features = {{"input_ids": torch.tensor([tokens]), "attention_mask": torch.ones(1, len(tokens), dtype=torch.long)}}
    with torch.no_grad():
        return model({{key: value.to(model.device) for key, value in features.items()}})["sentence_embedding"][0]

query = embed("how do bees find their way home", "[]")
document = embed("Honeybees navigate by the sun and by landmarks.", "{{}}")
print(torch.cosine_similarity(query, document, dim=0))
```
)";

constexpr std::string_view kPythonWithout = R"(
In Python:

```python
from sentence_transformers import SentenceTransformer, util

model = SentenceTransformer("{name}")
query = model.encode("how do bees find their way home")
document = model.encode("Honeybees navigate by the sun and by landmarks.")
print(util.cos_sim(query, document))
```
)";

constexpr std::string_view kPythonWithPrompts = R"(
In Python, with sentence-transformers from version 5 on:

```python
from sentence_transformers import SentenceTransformer, util

model = SentenceTransformer("{name}")
query = model.encode_query("how do bees find their way home")
document = model.encode_document("Honeybees navigate by the sun and by landmarks.")
print(util.cos_sim(query, document))
```
)";

/// 1, not 1.0, as Python's people write it.
Json number(double value) {
  if (std::abs(value) < 1e15 && value == std::floor(value)) return static_cast<std::int64_t>(value);
  return value;
}

const char* python(bool value) { return value ? "True" : "False"; }

std::string usage(const CardFacts& facts) {
  const bool brackets = facts.options.brackets, prompts = !facts.settings.sentences.prompts.names().empty();
  const std::string name = facts.options.output.has_filename() ? facts.options.output.filename().string()
                                                               : facts.options.output.parent_path().filename().string();
  std::string text = "\n## Usage\n\n";
  text += brackets ? "A query is embedded in square brackets, `[query]`, a document in curly ones, `{document}`; "
                     "`sgpt` puts them there by itself:\n"
          : prompts
              ? "Before queries and documents stand the prompts of `config_sentence_transformers.json`; `sgpt` puts "
                "them there by itself:\n"
              : "Queries and documents are embedded alike:\n";
  text += fmt::format(
      "\n```bash\nsgpt search --model {0} --corpus corpus.jsonl \"how do bees find their way home\"\n"
      "sgpt encode --model {0} --query --input queries.jsonl --output queries.npy\n"
      "sgpt encode --model {0} --document --input corpus.jsonl --output corpus.npy\n```\n",
      name);
  return text + (brackets  ? fmt::format(kPythonWithBrackets, fmt::arg("name", name),
                                         fmt::arg("cut", facts.options.max_seq_length - 2))
                 : prompts ? fmt::format(kPythonWithPrompts, fmt::arg("name", name))
                           : fmt::format(kPythonWithout, fmt::arg("name", name)));
}

/// Whether the weights that are saved were chosen by a score.
bool scored(const TrainOptions& options) { return options.nli && !options.nli->sts.empty(); }

std::string command(const CardFacts& facts) {
  std::string text;
  if (!facts.options.command.empty()) {
    text += fmt::format("\nThe model was trained with the command\n\n```bash\n{}\n```\n", facts.options.command);
  }
  if (scored(facts.options)) {
    text += fmt::format(
        "\nIts weights are those after {} of {} steps, which scored best on STS benchmark's dev part: the largest "
        "Spearman's correlation was {:.4f}. All scores are in `{}`, those of the test part in `{}`.\n",
        facts.step, facts.total_steps, facts.dev_score, kStsDevCsv, kStsTestCsv);
  } else if (facts.step < facts.total_steps) {
    text += fmt::format("\nIts weights are those after {} of {} steps.\n", facts.step, facts.total_steps);
  }
  return text;
}

/// Which parameters, by the options of the command.
std::string trained(const TrainOptions& options) {
  if (options.lora) {
    return fmt::format("LoRA, r {}, alpha {}{}, beside {}", options.lora->rank, options.lora->alpha,
                       options.lora->rank_stabilised ? " (rank-stabilised)" : "", options.lora->targets);
  }
  if (!options.adapter.empty()) return "LoRA, of the adapter that the run began with";
  const std::string_view embedding = options.train_word_embeddings ? " and the word embedding" : "";
  if (options.train_norms) {
    return fmt::format("{}norms{}", options.freeze_non_bias ? "biases and " : "", embedding);
  }
  if (options.freeze_non_bias) return fmt::format("biases{}", embedding);
  return options.freeze ? "the word embedding" : "all parameters";
}

std::string methods(const TrainOptions& options) {
  std::string text = "The model uses ";
  if (options.freeze_non_bias) text += "BitFit, ";
  if (options.lora || !options.adapter.empty()) text += "LoRA, ";
  text += options.pooling == PoolingMode::weightedmean ? "weighted-mean" : std::string(name_of(options.pooling));
  text += " pooling";
  if (options.grad_cache) text += " & GradCache";
  return text + ", for details see: https://arxiv.org/abs/2202.08904\n";
}

/// What is trained against what, in the words of the literature.
std::string loss(const TrainOptions& options) {
  return fmt::format(
      "Multiple negatives ranking loss (InfoNCE with in-batch negatives): cross-entropy of the scaled cosines of each "
      "query with all positives and negatives of its batch{}, with parameters:\n"
      "```\n{{'scale': {}, 'temperature': {}, 'similarity_fct': 'cos_sim'}}\n```\n",
      options.grad_cache ? ", with gradients by GradCache" : "", number(options.scale).dump(),
      number(1 / options.scale).dump());
}

std::string data_loader(const CardFacts& facts) {
  const TrainOptions& options = facts.options;
  if (options.nli) {
    return fmt::format(
        "A data loader without duplicates, of length {} with parameters:\n```\n{{'batch_size': {}, 'sampler': '{}', "
        "'processes': {}, 'processes_share_examples': {}}}\n```\n",
        facts.batches, options.batch_size, options.shuffle ? "random" : "sequential", facts.processes,
        python(options.nli->share_examples));
  }
  return fmt::format(
      "A data loader of length {} with parameters:\n```\n{{'batch_size': {}, 'sampler': '{}', 'no_duplicates': {}, "
      "'processes': "
      "{}}}\n```\n",
      facts.batches, options.batch_size, options.shuffle ? "random, without replacement" : "sequential",
      python(options.no_duplicates), facts.processes);
}

std::string run_parameters(const CardFacts& facts) {
  const TrainOptions& options = facts.options;
  const AdamW adamw;
  Json run;
  run["epochs"] = options.epochs;
  if (scored(options)) {
    run["evaluation_steps"] = options.nli->evaluation_steps.value_or(0);
    run["evaluator"] = "Spearman's correlation on STS benchmark (dev)";
  }
  if (options.grad_cache) run["gradcache_chunk_size"] = options.chunk_size;
  if (options.gradient_accumulation > 1) run["gradient_accumulation"] = options.gradient_accumulation;
  run["max_grad_norm"] = number(options.max_gradient_norm);
  run["optimizer"] = "AdamW";
  run["optimizer_params"] = {{"lr", number(options.learning_rate)},
                             {"betas", {adamw.beta1, adamw.beta2}},
                             {"eps", Json::parse(fmt::format("{}", adamw.eps))}};
  run["precision"] = name_of(options.compute);
  run["scheduler"] = options.scheduler;
  run["seed"] = options.seed;
  run["steps_per_epoch"] = options.steps_per_epoch > 0 ? Json(options.steps_per_epoch) : Json();
  run["trained"] = trained(options);
  if (options.warmup_steps) run["warmup_steps"] = *options.warmup_steps;
  run["weight_decay"] = number(options.weight_decay);
  return run.dump(4);
}

std::string training(const CardFacts& facts) {
  return fmt::format(
      "\n## Training\n\nThe model was trained by {} with the parameters:\n\n"
      "**DataLoader**:\n\n{}\n{}\n**Loss**:\n\n{}\n"
      "Parameters of the run (the weight decay is decoupled and spares biases; eps is added to the root of the second "
      "moment as it is, without bias correction):\n```\n{}\n```\n",
      facts.program, data_loader(facts), methods(facts.options), loss(facts.options), run_parameters(facts));
}

std::string architecture(const ModelFolder& settings) {
  const auto has = [&](PoolingMode mode) {
    return python(std::find(settings.pooling.begin(), settings.pooling.end(), mode) != settings.pooling.end());
  };
  return fmt::format(
      "\n## Full Model Architecture\n\n```\nSentenceTransformer(\n"
      "  (0): Transformer({{'max_seq_length': {}, 'do_lower_case': {}}}) with Transformer model: {}\n"
      "  (1): Pooling({{'word_embedding_dimension': {}, 'pooling_mode_cls_token': {}, 'pooling_mode_mean_tokens': {}, "
      "'pooling_mode_max_tokens': {}, 'pooling_mode_mean_sqrt_len_tokens': {}, 'pooling_mode_weightedmean_tokens': {}, "
      "'pooling_mode_lasttoken': {}}})\n{})\n```\n",
      settings.max_seq_length, python(settings.lower_case), settings.config.family->model_class, settings.config.hidden,
      has(PoolingMode::cls), has(PoolingMode::mean), has(PoolingMode::max), has(PoolingMode::mean_sqrt_len),
      has(PoolingMode::weightedmean), has(PoolingMode::lasttoken), settings.normalize ? "  (2): Normalize()\n" : "");
}

/// Where the JSON of the evaluation lies in a card, back-quotes excluded.
struct Place {
  std::size_t begin;
  std::size_t end;
};

Place find_results(std::string_view card, const std::string& place) {
  constexpr std::string_view kHeading = "## Evaluation Results";
  const std::size_t heading = card.find(kHeading);
  const std::size_t next = heading == card.npos ? card.npos : card.find("\n## ", heading + kHeading.size());
  const std::size_t open = heading == card.npos ? card.npos : card.find("\n`{", heading);
  const std::size_t close = open == card.npos ? card.npos : card.find("}`", open);
  if (close == card.npos || open > next || close > next) {
    throw UserError(
        fmt::format("{}: expected a line `{{\"ndcgs\": …}}` under \"{}\", found none; add one to have it "
                    "updated",
                    place, kHeading));
  }
  return {open + 2, close + 1};
}

Json parse_results(std::string_view card, const Place& found, const std::string& place) {
  Json json = Json::parse(card.substr(found.begin, found.end - found.begin), nullptr, false);
  const auto objects = [](const Json& level) {
    return level.is_object() &&
           std::all_of(level.begin(), level.end(), [](const Json& value) { return value.is_object(); });
  };
  bool good = json.is_object();
  if (good) {
    if (!json.contains("ndcgs")) json["ndcgs"] = Json::object();
    good = objects(json["ndcgs"]) && std::all_of(json["ndcgs"].begin(), json["ndcgs"].end(), objects);
  }
  if (!good) {
    throw UserError(
        fmt::format("{}: the evaluation's JSON is broken; expected "
                    "{{\"ndcgs\": {{MODEL: {{DATASET: {{\"NDCG@10\": …}}}}}}}}",
                    place));
  }
  return json;
}

/// As Python's json.dumps writes it on one line, which is what published cards have.
std::string on_one_line(const Json& json) {
  if (!json.is_object()) return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string text = "{";
  for (const auto& [key, value] : json.items()) {
    if (text.size() > 1) text += ", ";
    text += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": " + on_one_line(value);
  }
  return text + "}";
}

std::filesystem::path card_of(const std::filesystem::path& model_folder) {
  const auto card = model_folder / "README.md";
  if (std::error_code none; !std::filesystem::is_regular_file(card, none)) {
    throw UserError(fmt::format("{}: there is no model card to update; sgpt train writes one", card.string()));
  }
  return card;
}

}  // namespace

std::string model_card(const CardFacts& facts) {
  return std::string(kFrontMatter) + usage(facts) + command(facts) + "\n## Evaluation Results\n\n`{\"ndcgs\": {}}`\n" +
         training(facts) + architecture(facts.settings) + std::string(kCitation);
}

std::string with_results(std::string_view card, std::span<const DataSetResult> results, const std::string& place) {
  const Place found = find_results(card, place);
  Json json = parse_results(card, found, place);
  for (const DataSetResult& result : results) {
    const auto ten = std::find(result.cutoffs.begin(), result.cutoffs.end(), 10);
    if (ten == result.cutoffs.end()) continue;
    json["ndcgs"][result.model][result.data_set]["NDCG@10"] =
        result.values.at(Metric::ndcg, static_cast<std::size_t>(ten - result.cutoffs.begin()));
  }
  return std::string(card.substr(0, found.begin)) + on_one_line(json) + std::string(card.substr(found.end));
}

void update_model_card(const std::filesystem::path& model_folder, std::span<const DataSetResult> results) {
  const auto card = card_of(model_folder);
  const std::string text = with_results(MappedFile(card).text(), results, card.string());
  // In the hub's cache it is a link to a file that is named by its checksum, and that other revisions may share.
  if (std::error_code none; std::filesystem::is_symlink(card, none)) files::remove_all(card);
  write_file(card, text);
}

void check_model_card(const std::filesystem::path& model_folder) {
  const auto card = card_of(model_folder);
  with_results(MappedFile(card).text(), {}, card.string());
}

}  // namespace sgpt
