// What makes a run this run and no other: every option, the base model and the data that its numbers depend on.
// A checkpoint records it, and all ranks of a run must have the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/architecture.h"
#include "model/checkpoint.h"
#include "sgpt/trainer.h"

namespace sgpt {

/// Names as people know them ("--lr", "the base model") with their values.
using RunFacts = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::string_view kBaseModelFact = "the base model's checksum";

/// "sgpt" and its version: no fact, as any version must continue a run to the bit.
std::string program_and_version();

/// Null when there is none of that name.
const std::string* find_fact(const RunFacts& facts, std::string_view name);

/// Adds what earlier versions did not record, because it was always so.
void add_unrecorded(RunFacts& facts);

/// As bytes, and back: for ranks to compare.
std::string packed(const RunFacts& facts);
RunFacts unpacked(std::string_view bytes);

/// The options that a step depends on, and are decided; not those of logging, saving, memory and threads, which change
/// no bit.
RunFacts option_facts(const TrainOptions& options);

/// A checksum of the configuration and of every byte of the weights.
std::uint64_t model_fingerprint(const Architecture& config, const Checkpoint& weights);

/// A checksum of a PEFT adapter's files.
std::uint64_t adapter_fingerprint(const std::filesystem::path& adapter);

/// As it stands in files: 16 hexadecimal digits.
std::string fingerprint_text(std::uint64_t fingerprint);

/// The first fact that differs: "--lr is 0.1 there but 0.2 here". Nothing when all are equal.
struct FactWords {
  std::string there;  ///< "in the checkpoint"
  std::string here;   ///< "now"
};
std::optional<std::string> first_difference(const RunFacts& there, const RunFacts& here, const FactWords& words);

}  // namespace sgpt
