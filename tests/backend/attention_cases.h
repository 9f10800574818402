// Queries, keys and values in every layout that models have, and what scores are made of in each family.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "matrices.h"

namespace sgpt::testing {

enum class Layout { side_by_side, in_thirds, apart };

/// q, k and v of some heads, with numbers of their own: one matrix [T,3d], or three [T,d].
struct QkvMatrices {
  QkvMatrices(Layout layout_, std::int64_t tokens, std::int64_t heads_, std::int64_t dim_, float value = 0)
      : layout(layout_), heads(heads_), dim(dim_) {
    const bool one = layout != Layout::apart;
    for (Owned& part : parts)
      part = Owned(one && &part != parts.data() ? 0 : tokens, (one ? 3 : 1) * heads * dim, value);
  }
  Qkv view() {
    const std::int64_t d = heads * dim;
    const Matrix one = parts[0];
    switch (layout) {
      case Layout::side_by_side: return {{one, 0, 3 * dim}, {one, dim, 3 * dim}, {one, 2 * dim, 3 * dim}};
      case Layout::in_thirds: return {{one, 0, dim}, {one, d, dim}, {one, 2 * d, dim}};
      case Layout::apart: break;
    }
    return {{parts[0], 0, dim}, {parts[1], 0, dim}, {parts[2], 0, dim}};
  }
  /// The same queries, keys and values in another layout.
  QkvMatrices as(Layout other) const {
    QkvMatrices from = *this, to(other, parts[0].rows(), heads, dim);
    const Qkv a = from.view(), b = to.view();
    for (std::int64_t t = 0; t < parts[0].rows(); ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        std::copy_n(a.query.f32_at(t, h), dim, b.query.f32_at(t, h));
        std::copy_n(a.key.f32_at(t, h), dim, b.key.f32_at(t, h));
        std::copy_n(a.value.f32_at(t, h), dim, b.value.f32_at(t, h));
      }
    }
    return to;
  }
  /// All numbers, in one row: some gradients are nothing but rounding beside the others (a single key's query).
  Owned joined() const {
    Owned all(1, parts[0].size() + parts[1].size() + parts[2].size());
    std::int64_t next = 0;
    for (const Owned& part : parts) {
      for (std::int64_t i = 0; i < part.size(); ++i) all[next++] = part[i];
    }
    return all;
  }
  QkvMatrices slice(std::int64_t first, std::int64_t count) const {
    QkvMatrices part = *this;
    for (Owned& m : part.parts) {
      if (m.rows() > 0) m = m.slice(first, count);
    }
    return part;
  }

  Layout layout;
  std::int64_t heads, dim;
  std::array<Owned, 3> parts;
};

inline QkvMatrices random_qkv(Random& random, Layout layout, std::int64_t tokens, std::int64_t heads, std::int64_t dim,
                              float scale) {
  QkvMatrices qkv(layout, tokens, heads, dim);
  for (Owned& part : qkv.parts) part = random.matrix(part.rows(), part.cols(), scale);
  return qkv;
}

/// Of one family; without slopes' numbers.
struct Scores {
  std::string name;
  Layout layout;
  bool slopes;
  bool scaled;  // by 1 / sqrt(dim)
  std::int64_t window;
};

inline std::vector<Scores> all_scores() {
  return {{"bloom", Layout::side_by_side, true, true, 0},      {"gpt2", Layout::in_thirds, false, true, 0},
          {"gpt_neo", Layout::apart, false, false, 0},         {"gpt_neo_local", Layout::apart, false, false, 8},
          {"window_of_one", Layout::in_thirds, true, true, 1}, {"window_33", Layout::side_by_side, true, true, 33},
          {"window_longer", Layout::apart, false, true, 4096}};
}

inline AttentionOptions options_of(const Scores& scores, const Owned& slopes, std::int64_t dim) {
  return {.heads = slopes.cols(),
          .dim = dim,
          .scale = scores.scaled ? 1.0f / std::sqrt(static_cast<float>(dim)) : 1.0f,
          .slopes = scores.slopes ? ConstMatrix(slopes) : ConstMatrix(),
          .window = scores.window};
}

/// cos and sin of random angles for positions up to `positions`.
inline Owned random_turns(Random& random, std::int64_t positions, std::int64_t dims) {
  Owned turns = random.matrix(positions, dims, 2);
  for (std::int64_t i = 0; i < turns.size(); i += 2) {
    const float angle = turns[i];
    turns[i] = std::cos(angle);
    turns[i + 1] = std::sin(angle);
  }
  return turns;
}

}  // namespace sgpt::testing
