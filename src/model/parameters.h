// The parameters of a decoder: one table that drives reading, writing, the optimiser and the tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/architecture.h"
#include "model/checkpoint.h"
#include "model/family.h"

namespace sgpt {

/// What kind of parameter it is; the shape is [rows, cols], vectors being [1, cols].
enum class ParameterKind { embedding, matrix, vector };

/// Of the two small matrices beside an adapted one (model/lora.h).
enum class LoraPart { none, a, b };

struct ParameterInfo {
  std::string name;  ///< as in the checkpoint, without "transformer." or "model."
  ParameterKind kind = ParameterKind::vector;
  std::int64_t rows = 0;  ///< of a matrix: out
  std::int64_t cols = 0;  ///< of a matrix: in
  Role role = Role::token_embedding;
  bool bias = false;
  bool transposed = false;  ///< the checkpoint has it as [in, out]; integers (i8) always lie as [out, in]
  LoraPart lora = LoraPart::none;
  float lora_scale = 0;  ///< of the product of both parts

  std::vector<std::int64_t> shape() const;  ///< as in the checkpoint: vectors have one dimension
};

/// Every parameter, in the order in which a pass uses them.
std::vector<ParameterInfo> decoder_parameters(const Architecture& architecture);

/// Whether the family has parameters of a role.
bool has_role(const Architecture& architecture, Role role);
/// And with biases.
bool has_bias(const Architecture& architecture, Role role);

/// Whether some parameter is a bias.
bool has_biases(const Architecture& architecture);
/// Whether this is what a family calls its word embedding, "wte.weight" say.
bool is_word_embedding(std::string_view name);

/// The tensor of a parameter. Throws UserError when the checkpoint lacks it, or has it in another shape or in a type
/// that cannot be computed with; a matrix may be of integers with scales unless it is for `training`.
const CheckpointTensor& require_parameter(const Checkpoint& checkpoint, const ParameterInfo& info,
                                          bool training = false);

/// The type of the matrices in a checkpoint of this model: that of the first one that is there, unchecked.
DType matrix_type(const Checkpoint& checkpoint, const Architecture& architecture);

/// ALiBi's slopes for H heads (arXiv 2108.12409; for H that is no power of two as in `transformers`).
std::vector<float> alibi_slopes(std::int64_t heads);

}  // namespace sgpt
