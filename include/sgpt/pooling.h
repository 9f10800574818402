// How the hidden states of a text become one vector.
#pragma once

#include <optional>
#include <string_view>

namespace sgpt {

/// Over the n hidden states h_1 … h_n of a text (after the final LayerNorm). Several modes at once are concatenated in
/// the order in which they are named: a model folder's own, as sentence-transformers does.
enum class PoolingMode {
  cls,            ///< h_1
  max,            ///< element-wise maximum
  mean,           ///< Σ h_i / n
  mean_sqrt_len,  ///< Σ h_i / sqrt(n)
  weightedmean,   ///< Σ i·h_i / Σ i (SGPT, arXiv 2202.08904, section 3.2)
  lasttoken,      ///< h_n
};

/// "cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken".
std::string_view name_of(PoolingMode mode);

/// The mode of that name, or nothing.
std::optional<PoolingMode> pooling_mode_from(std::string_view name);

}  // namespace sgpt
