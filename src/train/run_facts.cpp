#include "train/run_facts.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "base/parallel.h"
#include "formats/model_files.h"

namespace sgpt {
namespace {

std::string in_words(const std::string* value) { return value ? *value : std::string("unknown"); }

std::string difference(const std::string& name, const std::string* there, const std::string* here,
                       const FactWords& words) {
  return fmt::format("{} is {} {}, but {} {}", name, in_words(there), words.there, in_words(here), words.here);
}

}  // namespace

std::string program_and_version() { return "sgpt " SGPT_VERSION; }

const std::string* find_fact(const RunFacts& facts, std::string_view name) {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const auto& fact) { return fact.first == name; });
  return found == facts.end() ? nullptr : &found->second;
}

void add_unrecorded(RunFacts& facts) {
  if (!find_fact(facts, "--dtype")) facts.emplace_back("--dtype", name_of(ComputeType::f32));
  if (!find_fact(facts, "--no_duplicates")) facts.emplace_back("--no_duplicates", "false");
  if (!find_fact(facts, "--gradient_accumulation")) facts.emplace_back("--gradient_accumulation", "1");
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
  // Every member by its name: one that is added to the options does not compile until it has a place here too, and then
  // among the facts, unless it changes no bit of the result.
  const auto& [model, train_data, msmarco, nli, output, pooling, brackets, query_prompt, document_prompt,
               max_seq_length, negatives_per_query, train_dataset_max_size, shuffle, no_duplicates, batch_size, epochs,
               steps_per_epoch, gradient_accumulation, learning_rate, scheduler, warmup_steps, weight_decay,
               max_gradient_norm, scale, seed, freeze, freeze_non_bias, train_word_embeddings, train_norms, lora,
               adapter, grad_cache, chunk_size, activation_memory, checkpoints, checkpoint_save_steps,
               checkpoint_save_total_limit, resume, log_file, run_folder, watch_log, wandb, command, compute, backend,
               threads, on_step, stop] = options;
  const auto& [folder, systems, negatives_per_system, score_margin, all_queries] = msmarco;
  RunFacts facts;
  const auto add = [&](const char* name, const auto& value) { facts.emplace_back(name, fmt::format("{}", value)); };
  add("--pooling", name_of(pooling));
  add("--specb", brackets);
  if (query_prompt) add("--query_prompt", *query_prompt);
  if (document_prompt) add("--document_prompt", *document_prompt);
  add("--max_seq_length", max_seq_length);
  add("--negatives_per_query", negatives_per_query);
  add("--train_dataset_max_size", train_dataset_max_size);
  if (nli) {
    add("--nli", true);
    add("--sts", !nli->sts.empty());
    if (nli->evaluation_steps) add("--evaluation_steps", *nli->evaluation_steps);
    add("--share_examples", nli->share_examples);
  } else if (train_data.empty()) {
    add("--negs_to_use", fmt::format("{}", fmt::join(systems, ",")));
    add("--num_negs_per_system", negatives_per_system);
    add("--ce_score_margin", score_margin);
    add("--use_all_queries", all_queries);
  }
  add("--no_shuffle", !shuffle);
  add("--no_duplicates", no_duplicates);
  add("--train_batch_size", batch_size);
  add("--epochs", epochs);
  add("--steps_per_epoch", steps_per_epoch);
  add("--gradient_accumulation", gradient_accumulation);
  add("--lr", learning_rate);
  add("--scheduler", scheduler);
  if (warmup_steps) add("--warmup_steps", *warmup_steps);
  add("--weight_decay", weight_decay);
  add("--max_grad_norm", max_gradient_norm);
  add("--scale", scale);
  add("--seed", seed);
  add("--freeze", freeze);
  add("--freezenonbias", freeze_non_bias);
  add("--unfreezewte", train_word_embeddings);
  if (train_norms) add("--train_norms", true);
  if (lora) {
    const auto& [rank, alpha, rank_stabilised, targets] = *lora;
    add("--lora_r", rank);
    add("--lora_alpha", alpha);
    add("--use_rslora", rank_stabilised);
    add("--lora_targets", targets);
  }
  if (!adapter.empty()) add("--adapter", true);  // which one, its checksum says
  add("--gradcache", grad_cache);
  add("--chunksize", chunk_size);
  add("--dtype", name_of(compute));
  add("--backend", backend);
  return facts;
}

std::uint64_t model_fingerprint(const Architecture& config, const Checkpoint& weights) {
  std::string summary = summary_of(config) + "\n";
  const auto tensors = weights.tensors();
  std::vector<std::string> lines(tensors.size());
  parallel_tasks(std::ssize(tensors), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    const CheckpointTensor& tensor = tensors[i];
    lines[i] = fmt::format("{} {} {} {:016x}\n", tensor.name, name_of(tensor.type), tensor.bytes.size(),
                           XXH3_64bits(tensor.bytes.data(), tensor.bytes.size()));
    if (tensor.mapped) drop_pages(tensor.bytes);
  });
  std::sort(lines.begin(), lines.end());  // how the weights are cut into files does not matter
  for (const std::string& line : lines) summary += line;
  return XXH3_64bits(summary.data(), summary.size());
}

std::uint64_t adapter_fingerprint(const std::filesystem::path& adapter) {
  std::uint64_t fingerprint = 0;
  for (const std::string_view name : {kAdapterFile, kAdapterWeights, kOlderAdapterWeights}) {
    if (!files::exists(adapter / name)) continue;
    const MappedFile file(adapter / name);
    fingerprint = XXH3_64bits_withSeed(file.bytes().data(), file.bytes().size(), fingerprint);
  }
  return fingerprint;
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
