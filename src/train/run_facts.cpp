#include "train/run_facts.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include "base/mapped_file.h"

namespace sgpt {
namespace {

std::string in_words(const std::string* value) { return value ? *value : std::string("unknown"); }

std::string difference(const std::string& name, const std::string* there, const std::string* here,
                       const FactWords& words) {
  return fmt::format("{} is {} {}, but {} {}", name, in_words(there), words.there, in_words(here), words.here);
}

}  // namespace

const std::string* find_fact(const RunFacts& facts, std::string_view name) {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const auto& fact) { return fact.first == name; });
  return found == facts.end() ? nullptr : &found->second;
}

std::string packed(const RunFacts& facts) {
  std::string bytes;
  for (const auto& [name, value] : facts) bytes.append(name).append(1, '\0').append(value).append(1, '\0');
  return bytes;
}

RunFacts unpacked(std::string_view bytes) {
  const auto next = [&bytes] {
    const std::size_t end = std::min(bytes.find('\0'), bytes.size());
    const std::string word(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    return word;
  };
  RunFacts facts;
  while (!bytes.empty()) {
    std::string name = next();
    facts.emplace_back(std::move(name), next());
  }
  return facts;
}

RunFacts option_facts(const TrainOptions& options) {
  RunFacts facts;
  const auto add = [&](const char* name, const auto& value) { facts.emplace_back(name, fmt::format("{}", value)); };
  add("--pooling", name_of(options.pooling));
  add("--specb", options.brackets);
  add("--max_seq_length", options.max_seq_length);
  add("--negatives_per_query", options.negatives_per_query);
  add("--train_dataset_max_size", options.train_dataset_max_size);
  if (options.train_data.empty()) {
    add("--negs_to_use", fmt::format("{}", fmt::join(options.msmarco.systems, ",")));
    add("--num_negs_per_system", options.msmarco.negatives_per_system);
    add("--ce_score_margin", options.msmarco.score_margin);
    add("--use_all_queries", options.msmarco.all_queries);
  }
  add("--no_shuffle", !options.shuffle);
  add("--train_batch_size", options.batch_size);
  add("--epochs", options.epochs);
  add("--steps_per_epoch", options.steps_per_epoch);
  add("--lr", options.learning_rate);
  add("--scheduler", options.scheduler);
  add("--warmup_steps", options.warmup_steps);
  add("--weight_decay", options.weight_decay);
  add("--max_grad_norm", options.max_gradient_norm);
  add("--scale", options.scale);
  add("--seed", options.seed);
  add("--freeze", options.freeze);
  add("--freezenonbias", options.freeze_non_bias);
  add("--unfreezewte", options.train_word_embeddings);
  add("--gradcache", options.grad_cache);
  add("--chunksize", options.chunk_size);
  add("--backend", options.backend);
  return facts;
}

std::uint64_t model_fingerprint(const BloomConfig& config, const Checkpoint& weights) {
  std::string summary = fmt::format("bloom hidden={} layers={} heads={} vocabulary={} eps={}\n", config.hidden,
                                    config.layers, config.heads, config.vocabulary, config.layer_norm_eps);
  const auto tensors = weights.tensors();
  std::vector<std::string> lines(tensors.size());
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const CheckpointTensor& tensor = tensors[i];
    lines[i] = fmt::format("{} {} {} {:016x}\n", tensor.name, name_of(tensor.type), tensor.bytes.size(),
                           XXH3_64bits(tensor.bytes.data(), tensor.bytes.size()));
    if (tensor.mapped) drop_pages(tensor.bytes);
  }
  std::sort(lines.begin(), lines.end());  // how the weights are cut into files does not matter
  for (const std::string& line : lines) summary += line;
  return XXH3_64bits(summary.data(), summary.size());
}

std::string fingerprint_text(std::uint64_t fingerprint) { return fmt::format("{:016x}", fingerprint); }

std::optional<std::string> first_difference(const RunFacts& there, const RunFacts& here, const FactWords& words) {
  for (const auto& [name, value] : here) {
    const std::string* other = find_fact(there, name);
    if (!other || *other != value) return difference(name, other, &value, words);
  }
  for (const auto& [name, value] : there) {
    if (!find_fact(here, name)) return difference(name, &value, nullptr, words);
  }
  return std::nullopt;
}

}  // namespace sgpt
