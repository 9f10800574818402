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
  norm1,  ///< before the attention; a norm without a bias is an RMSNorm
  query_key_value,
  query,
  key,
  value,
  query_norm,  ///< an RMSNorm of each head's query, before it is turned by its position
  key_norm,    ///< and of each head's key
  attention_out,
  attention_norm,     ///< of the attention's output, before that is added
  norm2,              ///< before the feed-forward part; a layer without one feeds both parts from norm1
  gate,               ///< whose activation multiplies what widen makes; without one widen's own activation is applied
  widen,              ///< the feed-forward part's first matrix
  narrow,             ///< and its second
  feed_forward_norm,  ///< of the feed-forward part's output, before that is added
  last_norm,
};

inline bool of_a_layer(Role role) { return role >= Role::norm1 && role < Role::last_norm; }

/// Parameters of a role: presence decides. A role that a family does not list is not computed.
struct RoleNames {
  Role role;
  std::string_view
      name;  ///< without ".weight" and ".bias"; of a layer's, without "h.N." or what the family has in its place
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
  std::string_view layer_prefix = "h.";  ///< of a layer's parameters, before its number
};

extern const Family kBloom, kGpt2, kGptNeo, kGptJ, kLlama, kMistral, kQwen2, kQwen3, kGemma3;

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
  bool heads_divide = true;                                ///< the hidden size
};
Sizes read_sizes(const JsonFile& config, const SizeKeys& keys);

/// layer_norm_epsilon, 1e-5 where it is not said.
float read_layer_norm_eps(const JsonFile& config);

/// The size within the feed-forward part: four times the hidden size where `key` is missing or null.
std::int64_t read_inner(const JsonFile& config, std::string_view key, const Architecture& architecture);

/// rms_norm_eps, 1e-6 where it is not said.
float read_rms_norm_eps(const JsonFile& config);

/// Throws unless `key` names the GELU that the backends compute, gelu_new; missing, it is that.
void require_gelu(const JsonFile& config, std::string_view key);

/// Throws unless `key` is missing or as it must be; `why` ends the sentence.
void require_flag(const JsonFile& config, std::string_view key, bool wanted, std::string_view why);

/// A float as config.json shows it: the double with the same shortest digits.
double shortest(float value);

}  // namespace sgpt
