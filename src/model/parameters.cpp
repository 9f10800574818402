#include "model/parameters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace sgpt {
namespace {

/// What a role's weight is.
ParameterInfo weight_of(Role role, const Architecture& a) {
  const std::int64_t d = a.hidden;
  const auto weight = [](ParameterKind kind, std::int64_t rows, std::int64_t cols) {
    ParameterInfo info;
    info.kind = kind;
    info.rows = rows;
    info.cols = cols;
    return info;
  };
  switch (role) {
    case Role::token_embedding: return weight(ParameterKind::embedding, a.vocabulary, d);
    case Role::position_embedding: return weight(ParameterKind::embedding, a.longest_text, d);
    case Role::query_key_value: return weight(ParameterKind::matrix, 3 * d, d);
    case Role::query: return weight(ParameterKind::matrix, a.query_width(), d);
    case Role::key:
    case Role::value: return weight(ParameterKind::matrix, a.key_width(), d);
    case Role::query_norm:
    case Role::key_norm: return weight(ParameterKind::vector, 1, a.head_dim());
    case Role::attention_out: return weight(ParameterKind::matrix, d, a.query_width());
    case Role::gate:
    case Role::widen: return weight(ParameterKind::matrix, a.inner, d);
    case Role::narrow: return weight(ParameterKind::matrix, d, a.inner);
    case Role::embedding_norm:
    case Role::norm1:
    case Role::attention_norm:
    case Role::norm2:
    case Role::feed_forward_norm:
    case Role::last_norm: break;
  }
  return weight(ParameterKind::vector, 1, d);
}

void add(std::vector<ParameterInfo>& table, const RoleNames& names, const std::string& prefix, const Architecture& a) {
  ParameterInfo weight = weight_of(names.role, a);
  weight.role = names.role;
  weight.transposed = names.transposed;
  ParameterInfo bias = weight;
  const std::string name = prefix + std::string(names.name);
  weight.name = name + ".weight";
  table.push_back(weight);
  if (!names.bias) return;
  bias.name = name + ".bias";
  bias.kind = ParameterKind::vector;
  bias.rows = 1;
  bias.cols = weight.kind == ParameterKind::vector ? weight.cols : weight.rows;
  bias.bias = true;
  bias.transposed = false;
  table.push_back(std::move(bias));
}

}  // namespace

std::vector<std::int64_t> ParameterInfo::shape() const {
  if (kind == ParameterKind::vector) return {cols};
  if (transposed) return {cols, rows};
  return {rows, cols};
}

std::vector<ParameterInfo> decoder_parameters(const Architecture& architecture) {
  std::vector<ParameterInfo> table;
  const auto add_all = [&](const std::string& prefix, auto wanted) {
    for (const RoleNames& names : architecture.family->roles) {
      if (wanted(names.role)) add(table, names, prefix, architecture);
    }
  };
  add_all("", [](Role role) { return role < Role::norm1; });
  for (std::int64_t layer = 0; layer < architecture.layers; ++layer) {
    add_all(fmt::format("{}{}.", architecture.family->layer_prefix, layer), of_a_layer);
  }
  add_all("", [](Role role) { return role >= Role::last_norm; });
  return table;
}

bool has_role(const Architecture& architecture, Role role) {
  const auto roles = architecture.family->roles;
  return std::any_of(roles.begin(), roles.end(), [role](const RoleNames& names) { return names.role == role; });
}

bool has_bias(const Architecture& architecture, Role role) {
  const auto roles = architecture.family->roles;
  return std::any_of(roles.begin(), roles.end(),
                     [role](const RoleNames& names) { return names.role == role && names.bias; });
}

bool has_biases(const Architecture& architecture) {
  const auto& roles = architecture.family->roles;
  return std::any_of(roles.begin(), roles.end(), [](const RoleNames& names) { return names.bias; });
}

bool is_word_embedding(std::string_view name) {
  static constexpr std::string_view kEnd = ".weight";
  if (!name.ends_with(kEnd)) return false;
  name.remove_suffix(kEnd.size());
  return std::any_of(families().begin(), families().end(), [&](const Family* family) {
    return std::any_of(family->roles.begin(), family->roles.end(), [&](const RoleNames& names) {
      return names.role == Role::token_embedding && name == names.name;
    });
  });
}

const CheckpointTensor& require_parameter(const Checkpoint& checkpoint, const ParameterInfo& info, bool training) {
  const std::vector<std::int64_t> shape = info.shape();
  if (info.kind != ParameterKind::matrix || training) return checkpoint.require(info.name, shape);
  const CheckpointTensor* found = checkpoint.find(info.name);
  if (found && found->type == DType::i8) {
    const std::int64_t out_in[] = {info.rows, info.cols};
    return checkpoint.require_matrix(info.name, out_in);
  }
  return checkpoint.require_matrix(info.name, shape);
}

DType matrix_type(const Checkpoint& checkpoint, const Architecture& architecture) {
  for (const ParameterInfo& parameter : decoder_parameters(architecture)) {
    if (parameter.kind != ParameterKind::matrix) continue;
    if (const CheckpointTensor* tensor = checkpoint.find(parameter.name)) return tensor->type;
  }
  return DType::f32;
}

std::vector<float> alibi_slopes(std::int64_t heads) {
  // For a power of two m: 2^(-8(h+1)/m). Other numbers of heads take the slopes of the power of two below, and then
  // every second one of the power of two above.
  const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  std::vector<float> slopes;
  for (std::int64_t h = 0; h < heads; ++h) {
    const double step = h < power ? 8.0 * static_cast<double>(h + 1) / static_cast<double>(power)
                                  : 4.0 * static_cast<double>(2 * (h - power) + 1) / static_cast<double>(power);
    slopes.push_back(static_cast<float>(std::exp2(-step)));
  }
  return slopes;
}

}  // namespace sgpt
