// Low-rank adaptation (LoRA, arXiv 2106.09685): beside a frozen matrix W [out,in] lie two small ones, A [r,in] and
// B [out,r], and y = W x + s · B (A x). Which matrices have them, with which rank and scale, and where training begins.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/parameters.h"

namespace sgpt {

/// A matrix that is adapted.
struct LoraModule {
  std::string module;     ///< the matrix' name without ".weight": "layers.0.self_attn.q_proj"
  std::int64_t rank = 0;  ///< r
  double alpha = 0;
};

struct Lora {
  std::vector<LoraModule> modules = {};  ///< empty: there is none
  bool rank_stabilised = false;          ///< s = α / √r (arXiv 2312.03732) in the place of α / r
  /// The numbers of A or B that training begins with, as `info` names it.
  std::function<void(const ParameterInfo& info, std::span<float> values)> start = {};

  double scale(const LoraModule& module) const;
};

/// Every parameter of the decoder, with A and B (MODULE.lora_A.weight, MODULE.lora_B.weight) behind each adapted
/// matrix. Throws UserError when the model has no such matrix.
std::vector<ParameterInfo> decoder_parameters(const Architecture& architecture, const Lora& lora);

/// What a new adaptation is to be.
struct NewLora {
  std::int64_t rank = 8;
  double alpha = 8;
  bool rank_stabilised = false;
  /// "all-linear", or the ends of module names, separated by commas ("q_proj,v_proj"), or a regular expression for
  /// whole names.
  std::string targets = "all-linear";
  std::uint64_t seed = 0;
};

/// As PEFT begins: A uniform in ±1/√in, B zero. Throws UserError, naming the matrices that there are, when a target is
/// none of them.
Lora new_lora(const Architecture& architecture, const NewLora& wanted);

/// Whether a whole name is `pattern`, or ends with it behind a full stop; a pattern may be a regular expression. Throws
/// UserError, beginning with `where`, when it cannot be read.
bool ends_with_pattern(std::string_view name, const std::string& pattern, std::string_view where);

}  // namespace sgpt
