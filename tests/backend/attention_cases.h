// Queries, keys and values in every layout that models have, and what scores are made of in each family.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "matrices.h"

namespace sgpt::testing {

enum class Layout { side_by_side, in_thirds, apart };

/// q, k and v of some heads, with numbers of their own: one matrix [T,3d], or three, of which those of keys and values
/// may have fewer heads.
struct QkvMatrices {
  QkvMatrices(Layout layout_, std::int64_t tokens, std::int64_t heads_, std::int64_t dim_, float value = 0,
              std::int64_t group_ = 1)
      : layout(layout_), heads(heads_), dim(dim_), group(group_) {
    const bool one = layout != Layout::apart;
    for (Owned& part : parts) {
      const bool queries = &part == parts.data();
      part = Owned(one && !queries ? 0 : tokens, (one ? 3 : 1) * heads * dim / (queries ? 1 : group), value);
    }
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
    QkvMatrices from = *this, to(other, parts[0].rows(), heads, dim, 0, group);
    const Qkv a = from.view(), b = to.view();
    for (std::int64_t t = 0; t < parts[0].rows(); ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        std::copy_n(a.query.f32_at(t, h), dim, b.query.f32_at(t, h));
        if (h % group != 0) continue;
        std::copy_n(a.key.f32_at(t, h / group), dim, b.key.f32_at(t, h / group));
        std::copy_n(a.value.f32_at(t, h / group), dim, b.value.f32_at(t, h / group));
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
  std::int64_t group = 1;  // heads of queries for one of keys and values; more than one where they lie apart
  std::array<Owned, 3> parts;
};

inline QkvMatrices random_qkv(Random& random, Layout layout, std::int64_t tokens, std::int64_t heads, std::int64_t dim,
                              float scale, std::int64_t group = 1) {
  QkvMatrices qkv(layout, tokens, heads, dim, 0, group);
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
  bool causal = true;
  bool grouped = false;  // all heads of queries read one of keys and values, or two and more of each

  /// Of so many heads: 2 where they are even, else all.
  std::int64_t group(std::int64_t heads) const { return !grouped ? 1 : heads % 2 == 0 ? 2 : heads; }
};

inline std::vector<Scores> all_scores() {
  return {{"bloom", Layout::side_by_side, true, true, 0},
          {"gpt2", Layout::in_thirds, false, true, 0},
          {"gpt_neo", Layout::apart, false, false, 0},
          {"gpt_neo_local", Layout::apart, false, false, 8},
          {"window_of_one", Layout::in_thirds, true, true, 1},
          {"window_33", Layout::side_by_side, true, true, 33},
          {"window_longer", Layout::apart, false, true, 4096},
          {"qwen3", Layout::apart, false, true, 0, true, true},
          {"mistral", Layout::apart, false, true, 8, true, true},
          {"both_ways", Layout::apart, false, true, 0, false, true},
          {"both_ways_window", Layout::in_thirds, false, true, 9, false, false},
          {"both_ways_window_of_two", Layout::apart, false, true, 2, false, true},
          {"both_ways_window_33", Layout::apart, true, true, 33, false, true}};
}

inline AttentionOptions options_of(const Scores& scores, const Owned& slopes, std::int64_t dim) {
  return {.heads = slopes.cols(),
          .dim = dim,
          .scale = scores.scaled ? 1.0f / std::sqrt(static_cast<float>(dim)) : 1.0f,
          .slopes = scores.slopes ? ConstMatrix(slopes) : ConstMatrix(),
          .window = scores.window,
          .key_heads = scores.grouped ? slopes.cols() / scores.group(slopes.cols()) : 0,
          .causal = scores.causal};
}

/// cos and sin of random angles for positions up to `positions`, side by side.
inline Owned random_turns(Random& random, std::int64_t positions, std::int64_t dims) {
  Owned turns = random.matrix(positions, dims, 2);
  for (std::int64_t i = 0; i < turns.size(); i += 2) {
    const float angle = turns[i];
    turns[i] = std::cos(angle);
    turns[i + 1] = std::sin(angle);
  }
  return turns;
}

/// The same turns as Pairing::halves wants them.
inline Owned in_halves(const Owned& turns) {
  Owned halves = turns;
  const std::int64_t pairs = turns.cols() / 2;
  for (std::int64_t t = 0; t < turns.rows(); ++t) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      halves.at(t, i) = turns.at(t, 2 * i);
      halves.at(t, pairs + i) = turns.at(t, 2 * i + 1);
    }
  }
  return halves;
}

}  // namespace sgpt::testing
