// A family of models: how config.json spells its architecture, and what its checkpoints call each parameter. One file
// in families/ a family; nothing else in sgpt knows them apart.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "formats/json_file.h"
#include "model/architecture.h"

namespace sgpt {

/// What a parameter is for. The attention's first matrices are one (query_key_value) or three (HeadLayout).
enum class Role {
  token_embedding,
  position_embedding,
  embedding_norm,
  norm1,  ///< before the attention
  query_key_value,
  query,
  key,
  value,
  attention_out,
  norm2,   ///< before the feed-forward part; a layer without one feeds both parts from norm1
  widen,   ///< the feed-forward part's first matrix
  narrow,  ///< and its second
  last_norm,
};

/// Parameters of a role: presence decides. A role that a family does not list is not computed.
struct RoleNames {
  Role role;
  std::string_view name;  ///< without ".weight" and ".bias"; of a layer's, without "h.N."
  bool bias = true;
  bool transposed = false;  ///< the matrix lies as [in, out] in checkpoints (Conv1D)
};

/// The output layer of a family's causal model, which an encoder has no use for.
struct Head {
  bool tied = true;   ///< its matrix is the embedding's, where config.json does not say otherwise
  bool bias = false;  ///< it has one
};

struct Family {
  std::string_view model_type;         ///< in config.json: "bloom"
  std::string_view name;               ///< for people: "BLOOM"
  std::string_view model_class;        ///< of transformers, without a head: "BloomModel"
  std::span<const RoleNames> roles;    ///< in the order in which a pass uses them
  Architecture (*make)(const Sizes&);  ///< of a new model, and what `read` begins with
  Architecture (*read)(const JsonFile&);
  void (*write)(const Architecture&, nlohmann::ordered_json& config);  ///< the keys that `read` reads
  Head head = {};
};

extern const Family kBloom, kGpt2, kGptNeo, kGptJ;

/// All of them.
std::span<const Family* const> families();

// --- for the families' own files ------------------------------------------------------------------------------------

/// The value that stands under one of several spellings, from 1 to `largest`; they must agree where several are there.
std::int64_t size_under(const JsonFile& config, std::initializer_list<std::string_view> spellings,
                        std::int64_t largest);

/// The sizes under a family's spellings of them.
struct SizeKeys {
  std::initializer_list<std::string_view> hidden, layers, heads;
  std::initializer_list<std::string_view> positions = {};  ///< none: no limit
};
Sizes read_sizes(const JsonFile& config, const SizeKeys& keys);

/// layer_norm_epsilon, 1e-5 where it is not said.
float read_layer_norm_eps(const JsonFile& config);

/// The size within the feed-forward part: four times the hidden size where `key` is missing or null.
std::int64_t read_inner(const JsonFile& config, std::string_view key, const Architecture& architecture);

/// Throws unless `key` names the GELU that the backends compute, gelu_new; missing, it is that.
void require_gelu(const JsonFile& config, std::string_view key);

/// Throws unless `key` is missing or as it must be; `why` ends the sentence.
void require_flag(const JsonFile& config, std::string_view key, bool wanted, std::string_view why);

/// A float as config.json shows it: the double with the same shortest digits.
double shortest(float value);

}  // namespace sgpt
