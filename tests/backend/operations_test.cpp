// Every operation of every device against the reference, over one table of shapes.
#include <fmt/format.h>

#include "attention_cases.h"
#include "backend/reference/reference_backend.h"
#include "devices.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

struct Shape {
  std::string name;
  std::vector<int> lengths;
  std::int64_t heads, dim;
  std::int64_t d() const { return heads * dim; }
};

std::vector<Shape> shapes() {
  return {
      {"one_token", {1}, 2, 8},
      {"empty_texts", {0, 3, 0, 1, 0}, 2, 16},
      {"only_empty_texts", {0, 0}, 2, 16},
      {"ragged", {5, 1, 17, 2, 24, 25, 9}, 4, 16},
      {"odd_head", {31, 7, 1, 20}, 3, 20},
      {"tiny_odd_head", {6, 13}, 3, 5},
      {"head_80", {49, 48, 3}, 2, 80},
      {"head_112", {66, 1}, 2, 112},
      {"head_128", {70, 12}, 1, 128},
      {"long", {300, 1, 130}, 2, 64},
      {"wide", {40, 29}, 5, 64},
  };
}

struct Case {
  Device device;
  Shape shape;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.shape.name << " on " << c.device.name; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Device& device : devices()) {
    for (const Shape& shape : shapes()) all.push_back({device, shape});
  }
  return all;
}

class Operations : public ::testing::TestWithParam<Case> {
 protected:
  const Shape& shape() const { return GetParam().shape; }
  std::int64_t tokens() const { return texts_.tokens; }

  Random random_{7};
  InstructionScope instructions_{GetParam().device};
  std::unique_ptr<Backend> backend_ = GetParam().device.make();
  std::unique_ptr<Backend> reference_ = make_reference_backend();
  Arena arena_{host_memory()};
  TokenBatch batch_ = random_.batch(shape().lengths);
  PackedTexts texts_ = backend_->place(batch_, arena_);
};

TEST_P(Operations, Linear) {
  const std::int64_t in = shape().d(), out = 3 * in + 1;
  const Owned x = random_.matrix(tokens(), in), w = random_.matrix(out, in, 0.2f), bias = random_.matrix(1, out);
  const Owned before = random_.matrix(tokens(), out);
  const auto plain = reference_->pack(w, WeightUse::forward);
  for (const WeightSource source : {WeightSource::passing, WeightSource::lasting}) {
    const auto packed = backend_->pack(w, WeightUse::forward, ComputeType::f32, {}, source);
    EXPECT_EQ(packed->out(), out);
    EXPECT_EQ(packed->in(), in);
    EXPECT_GE(packed->bytes(), packed->reads_source() ? 0 : static_cast<std::size_t>(out * in) * 4);
    for (const Epilogue epilogue :
         {Epilogue::none, Epilogue::gelu, Epilogue::silu, Epilogue::multiply, Epilogue::add}) {
      Owned y = before, expected = before;
      backend_->linear(x, *packed, bias, y, epilogue);
      reference_->linear(x, *plain, bias, expected, epilogue);
      EXPECT_TRUE(near(y, expected, 2e-6)) << static_cast<int>(epilogue);
    }
  }
}

TEST_P(Operations, LinearKeepsWhatGeluNeeds) {
  const std::int64_t in = shape().d(), out = 4 * in;
  const Owned x = random_.matrix(tokens(), in), bias = random_.matrix(1, out);
  const auto packed = backend_->pack(random_.matrix(out, in, 0.2f), WeightUse::forward);
  Owned plain(tokens(), out), y(tokens(), out), z(tokens(), out), alone(tokens(), out), again(tokens(), out);
  backend_->linear(x, *packed, bias, plain, Epilogue::none);
  backend_->linear(x, *packed, bias, alone, Epilogue::gelu);
  backend_->linear(x, *packed, bias, y, Epilogue::gelu, z);
  backend_->gelu(z, again);
  EXPECT_TRUE(same_bits(z, plain));
  EXPECT_TRUE(same_bits(y, alone));
  EXPECT_TRUE(same_bits(again, alone));
}

TEST_P(Operations, LinearBackward) {
  const std::int64_t in = shape().d(), out = 3 * in;
  const Owned x = random_.matrix(tokens(), in), w = random_.matrix(out, in), dy = random_.matrix(tokens(), out);
  const auto plain = reference_->pack(w, WeightUse::forward_and_backward);
  Owned expected_dx(tokens(), in);
  reference_->linear_backward_input(dy, *plain, expected_dx);
  for (const WeightSource source : {WeightSource::passing, WeightSource::lasting}) {
    const auto packed = backend_->pack(w, WeightUse::forward_and_backward, ComputeType::f32, {}, source);
    Owned dx(tokens(), in);
    backend_->linear_backward_input(dy, *packed, dx);
    EXPECT_LT(relative_error(dx, expected_dx), 2e-6);
    Owned sum = x, expected_sum = x;
    backend_->linear_backward_input(dy, *packed, sum, true);
    reference_->linear_backward_input(dy, *plain, expected_sum, true);
    EXPECT_LT(relative_error(sum, expected_sum), 2e-6);
  }

  Owned dw = random_.matrix(out, in), expected_dw = dw;
  backend_->linear_backward_weight(dy, x, dw);
  reference_->linear_backward_weight(dy, x, expected_dw);
  EXPECT_TRUE(near(dw, expected_dw, 2e-6));

  Owned db = random_.matrix(1, out), expected_db = db;
  backend_->linear_backward_bias(dy, db);
  reference_->linear_backward_bias(dy, expected_db);
  EXPECT_TRUE(near(db, expected_db, 2e-6));
}

TEST_P(Operations, RepackTakesNewValues) {
  const std::int64_t in = shape().d(), out = in + 3;
  const Owned x = random_.matrix(tokens(), in), dy = random_.matrix(tokens(), out), fresh = random_.matrix(out, in);
  for (const bool streams : {false, true}) {
    const auto backend = GetParam().device.make(streams);
    Owned values = random_.matrix(out, in);
    const auto packed = backend->pack_trained(values, WeightUse::forward_and_backward);
    const auto direct =
        backend->pack(fresh, WeightUse::forward_and_backward, ComputeType::f32, {}, WeightSource::lasting);
    EXPECT_EQ(packed->reads_source(), streams);
    EXPECT_EQ(packed->bytes() == 0, streams);
    values = fresh;
    backend->repack(*packed);
    Owned y(tokens(), out), expected(tokens(), out), dx(tokens(), in), expected_dx(tokens(), in);
    backend->linear(x, *packed, {}, y, Epilogue::none);
    backend->linear(x, *direct, {}, expected, Epilogue::none);
    EXPECT_TRUE(same_bits(y, expected));
    backend->linear_backward_input(dy, *packed, dx);
    backend->linear_backward_input(dy, *direct, expected_dx);
    EXPECT_TRUE(same_bits(dx, expected_dx));
  }
}

/// What a gated feed-forward part does: two products into one matrix, or both kept and multiplied afterwards.
TEST_P(Operations, Gates) {
  const std::int64_t in = shape().d(), out = 2 * in + 3;
  const Owned x = random_.matrix(tokens(), in), none;
  const auto gate = backend_->pack(random_.matrix(out, in, 0.3f), WeightUse::forward);
  const auto widen = backend_->pack(random_.matrix(out, in, 0.3f), WeightUse::forward);
  for (const auto& [activation, epilogue] :
       {std::pair{Activation::silu, Epilogue::silu}, {Activation::gelu, Epilogue::gelu}}) {
    Owned a(tokens(), out), u(tokens(), out), y(tokens(), out), again(tokens(), out), expected(tokens(), out);
    backend_->linear(x, *gate, {}, y, epilogue, a);
    backend_->linear(x, *widen, {}, y, Epilogue::multiply, u);
    backend_->gate(activation, a, u, again);
    EXPECT_TRUE(same_bits(again, y));
    reference_->gate(activation, a, u, expected);
    EXPECT_LT(relative_error(y, expected), 1e-6);

    Owned dy = random_.matrix(tokens(), out), expected_dy = dy, da(tokens(), out), expected_da(tokens(), out);
    backend_->gate_backward(activation, a, u, dy, da);
    reference_->gate_backward(activation, a, u, expected_dy, expected_da);
    EXPECT_LT(relative_error(dy, expected_dy), 1e-6);
    EXPECT_LT(relative_error(da, expected_da), 1e-6);
  }
}

TEST_P(Operations, GatesAtTheEdges) {
  Owned a(1, 8);
  const float edges[] = {0.0f, -0.0f, 50.0f, -50.0f, 1e4f, -1e4f, 1e-30f, 20.0f};
  for (std::int64_t i = 0; i < 8; ++i) a[i] = edges[i];
  const Owned u(1, 8, 2);
  for (const Activation activation : {Activation::silu, Activation::gelu}) {
    Owned y(1, 8), expected(1, 8), dy(1, 8, 1), expected_dy = dy, da(1, 8), expected_da(1, 8);
    backend_->gate(activation, a, u, y);
    reference_->gate(activation, a, u, expected);
    backend_->gate_backward(activation, a, u, dy, da);
    reference_->gate_backward(activation, a, u, expected_dy, expected_da);
    for (std::int64_t i = 0; i < 8; ++i) {
      EXPECT_NEAR(y[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << a[i];
      EXPECT_NEAR(dy[i], expected_dy[i], 1e-6 * (1 + std::abs(expected_dy[i]))) << a[i];
      EXPECT_NEAR(da[i], expected_da[i], 1e-6 * (1 + std::abs(expected_da[i]))) << a[i];
    }
  }
}

TEST_P(Operations, RmsNorm) {
  const std::int64_t d = shape().d();
  Owned x = random_.matrix(tokens(), d, 3);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] += 5;
  const Owned weight = random_.matrix(1, d), dy = random_.matrix(tokens(), d), before = random_.matrix(tokens(), d);
  for (const RmsNorm& norm : {RmsNorm{}, RmsNorm{.eps = 1e-5f, .plus = 1}, RmsNorm{.plus = 1, .add = true}}) {
    Owned y = before, expected = before, stats(tokens(), 1), expected_stats(tokens(), 1);
    backend_->rms_norm(x, weight, norm, y, stats);
    reference_->rms_norm(x, weight, norm, expected, expected_stats);
    EXPECT_TRUE(near(y, expected, 3e-6));
    EXPECT_TRUE(near(stats, expected_stats, 3e-6));
    if (!norm.add) {
      Owned in_place = x;
      backend_->rms_norm(in_place, weight, norm, in_place, {});
      EXPECT_TRUE(same_bits(in_place, y));
    }
    Owned dx = random_.matrix(tokens(), d), dweight = random_.matrix(1, d);
    Owned expected_dx = dx, expected_dweight = dweight;
    backend_->rms_norm_backward(x, expected_stats, weight, norm, dy, dx, dweight);
    reference_->rms_norm_backward(x, expected_stats, weight, norm, dy, expected_dx, expected_dweight);
    EXPECT_TRUE(near(dx, expected_dx, 3e-6));
    EXPECT_TRUE(near(dweight, expected_dweight, 3e-6));
  }
}

TEST_P(Operations, LayerNorm) {
  const std::int64_t d = shape().d();
  Owned x = random_.matrix(tokens(), d, 3);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] += 5;
  const Owned weight = random_.matrix(1, d), bias = random_.matrix(1, d), dy = random_.matrix(tokens(), d);
  Owned y(tokens(), d), stats(tokens(), 2), expected(tokens(), d), expected_stats(tokens(), 2);
  backend_->layer_norm(x, weight, bias, 1e-5f, y, stats);
  reference_->layer_norm(x, weight, bias, 1e-5f, expected, expected_stats);
  EXPECT_TRUE(near(y, expected, 3e-6));
  EXPECT_TRUE(near(stats, expected_stats, 3e-6));

  Owned in_place = x;
  backend_->layer_norm(in_place, weight, bias, 1e-5f, in_place, {});
  EXPECT_TRUE(same_bits(in_place, y));

  Owned dx = random_.matrix(tokens(), d), dweight = random_.matrix(1, d), dbias = random_.matrix(1, d);
  Owned expected_dx = dx, expected_dweight = dweight, expected_dbias = dbias;
  backend_->layer_norm_backward(x, expected_stats, weight, dy, dx, dweight, dbias);
  reference_->layer_norm_backward(x, expected_stats, weight, dy, expected_dx, expected_dweight, expected_dbias);
  EXPECT_TRUE(near(dx, expected_dx, 3e-6));
  EXPECT_TRUE(near(dweight, expected_dweight, 3e-6));
  EXPECT_TRUE(near(dbias, expected_dbias, 3e-6));
  Owned bias_alone(1, d), dx_alone(tokens(), d);
  backend_->layer_norm_backward(x, expected_stats, weight, dy, dx_alone, {}, bias_alone);
  Owned expected_alone(1, d), unused(tokens(), d);
  reference_->layer_norm_backward(x, expected_stats, weight, dy, unused, {}, expected_alone);
  EXPECT_TRUE(near(bias_alone, expected_alone, 3e-6));
}

TEST_P(Operations, Attention) {
  const std::int64_t d = shape().d(), heads = shape().heads, dim = shape().dim;
  Owned slopes(1, heads);
  for (std::int64_t h = 0; h < heads; ++h) slopes[h] = 0.5f / static_cast<float>(1 << h);
  for (const Scores& scores : all_scores()) {
    SCOPED_TRACE(scores.name);
    const AttentionOptions options = options_of(scores, slopes, dim);
    // Scores that are not scaled shall not be larger than others.
    const float spread = scores.scaled ? 1.5f : 1.5f / std::sqrt(std::sqrt(static_cast<float>(dim)));
    const std::int64_t group = scores.group(heads);
    QkvMatrices qkv = random_qkv(random_, scores.layout, tokens(), heads, dim, spread, group);
    Owned y(tokens(), d), sums(tokens(), heads), expected(tokens(), d), expected_sums(tokens(), heads);
    backend_->attention(texts_, qkv.view(), options, y, sums);
    reference_->attention(texts_, qkv.view(), options, expected, expected_sums);
    EXPECT_LT(relative_error(y, expected), 3e-6);
    EXPECT_LT(relative_error(sums, expected_sums), 3e-6);
    Owned without(tokens(), d);
    backend_->attention(texts_, qkv.view(), options, without, {});
    EXPECT_TRUE(same_bits(without, y));

    const Owned dy = random_.matrix(tokens(), d);
    QkvMatrices dqkv(scores.layout, tokens(), heads, dim, 99, group),
        expected_dqkv(scores.layout, tokens(), heads, dim, 0, group);
    backend_->attention_backward(texts_, qkv.view(), options, expected_sums, dy, dqkv.view());
    reference_->attention_backward(texts_, qkv.view(), options, expected_sums, dy, expected_dqkv.view());
    EXPECT_LT(relative_error(dqkv.joined(), expected_dqkv.joined()), 1e-5);
    for (const Layout layout : {Layout::side_by_side, Layout::in_thirds, Layout::apart}) {
      if (group > 1) break;  // their heads of keys and values lie apart
      QkvMatrices other = qkv.as(layout), dother(layout, tokens(), heads, dim);
      Owned same(tokens(), d);
      backend_->attention(texts_, other.view(), options, same, {});
      EXPECT_TRUE(same_bits(same, y));
      backend_->attention_backward(texts_, other.view(), options, expected_sums, dy, dother.view());
      const QkvMatrices back = dother.as(scores.layout);
      for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(back.parts[i], dqkv.parts[i]));
    }
  }
}

TEST_P(Operations, Rotate) {
  const std::int64_t heads = shape().heads, dim = shape().dim, dims = std::max<std::int64_t>(dim / 4 * 2, 2);
  const Owned neighbours = random_turns(random_, std::max<std::int64_t>(texts_.longest, 1), dims);
  const Owned halves = in_halves(neighbours);
  const QkvMatrices before = random_qkv(random_, Layout::side_by_side, tokens(), heads, dim, 1);
  for (const Pairing pairing : {Pairing::neighbours, Pairing::halves}) {
    const Owned& turns = pairing == Pairing::halves ? halves : neighbours;
    QkvMatrices found = before, expected = before;
    backend_->rotate(texts_, found.view().key, heads, turns, pairing, false);
    reference_->rotate(texts_, expected.view().key, heads, turns, pairing, false);
    EXPECT_LT(relative_error(found.parts[0], expected.parts[0]), 2e-7);
    backend_->rotate(texts_, found.view().key, heads, turns, pairing, true);  // and back
    EXPECT_LT(relative_error(found.parts[0], before.parts[0]), 4e-7);
  }
}

TEST_P(Operations, Positions) {
  const std::int64_t d = shape().d(), positions = texts_.longest + 2;
  const Owned table = random_.matrix(positions, d), dx = random_.matrix(tokens(), d);
  Owned x = random_.matrix(tokens(), d), expected = x, dtable = random_.matrix(positions, d), expected_dtable = dtable;
  backend_->add_positions(texts_, table, x);
  reference_->add_positions(texts_, table, expected);
  EXPECT_TRUE(same_bits(x, expected));
  backend_->add_positions_backward(texts_, dx, dtable);
  reference_->add_positions_backward(texts_, dx, expected_dtable);
  EXPECT_TRUE(same_bits(dtable, expected_dtable));

  std::vector<std::uint16_t> halves(static_cast<std::size_t>(table.size()));
  for (std::int64_t i = 0; i < table.size(); ++i) halves[static_cast<std::size_t>(i)] = f16_from_float(table[i]);
  backend_->add_positions(texts_, ConstMatrix(halves.data(), positions, d, DType::f16), x);
  reference_->add_positions(texts_, ConstMatrix(halves.data(), positions, d, DType::f16), expected);
  EXPECT_TRUE(same_bits(x, expected));
}

/// With a table of biases a row has the bits that it has with its own bias for all.
TEST_P(Operations, TablesOfBiases) {
  const std::int64_t in = shape().d(), out = 2 * in + 1, rows = 3;
  const Owned x = random_.matrix(tokens(), in), w = random_.matrix(out, in, 0.2f), weight = random_.matrix(1, in);
  const Owned biases = random_.matrix(rows, out), norm_biases = random_.matrix(rows, in);
  std::vector<std::int32_t> row_of(static_cast<std::size_t>(tokens()));
  for (auto& row : row_of) row = random_.below(static_cast<int>(rows));
  const auto packed = backend_->pack(w, WeightUse::forward, ComputeType::f32, {}, WeightSource::lasting);
  const auto plain = reference_->pack(w, WeightUse::forward);
  const Bias bias(biases, row_of.data()), norm_bias(norm_biases, row_of.data());
  Owned y(tokens(), out), expected(tokens(), out), normed(tokens(), in), expected_normed(tokens(), in);
  backend_->linear(x, *packed, bias, y, Epilogue::gelu);
  reference_->linear(x, *plain, bias, expected, Epilogue::gelu);
  EXPECT_LT(relative_error(y, expected), 2e-6);
  backend_->layer_norm(x, weight, norm_bias, 1e-5f, normed, {});
  reference_->layer_norm(x, weight, norm_bias, 1e-5f, expected_normed, {});
  EXPECT_LT(relative_error(normed, expected_normed), 3e-6);
  for (std::int64_t row = 0; row < rows; ++row) {
    Owned one(tokens(), out), one_normed(tokens(), in);
    backend_->linear(x, *packed, biases.slice(row, 1), one, Epilogue::gelu);
    backend_->layer_norm(x, weight, norm_biases.slice(row, 1), 1e-5f, one_normed, {});
    for (std::int64_t t = 0; t < tokens(); ++t) {
      if (row_of[static_cast<std::size_t>(t)] != row) continue;
      EXPECT_TRUE(same_bits(y.slice(t, 1), one.slice(t, 1)));
      EXPECT_TRUE(same_bits(normed.slice(t, 1), one_normed.slice(t, 1)));
    }
  }
}

TEST_P(Operations, Gelu) {
  Owned z = random_.matrix(std::max<std::int64_t>(tokens(), 1), shape().d(), 3), y(z.rows(), z.cols());
  const float edges[] = {0.0f, -0.0f, 50.0f, -50.0f, 1e4f, -1e4f, 1e-30f, 3e38f};
  for (std::int64_t i = 0; i < 8; ++i) z[i] = edges[i];
  Owned expected(z.rows(), z.cols());
  backend_->gelu(z, y);
  reference_->gelu(z, expected);
  for (std::int64_t i = 0; i < z.size(); ++i)
    ASSERT_NEAR(y[i], expected[i], 5e-7 * (1 + std::abs(expected[i]))) << z[i];
  z[7] = 20;  // the slope of 3e38 overflows in float
  Owned dy = random_.matrix(z.rows(), z.cols()), expected_dy = dy;
  backend_->gelu_backward(z, dy);
  reference_->gelu_backward(z, expected_dy);
  for (std::int64_t i = 0; i < z.size(); ++i)
    ASSERT_NEAR(dy[i], expected_dy[i], 1e-6 * (1 + std::abs(expected_dy[i]))) << z[i];
}

TEST_P(Operations, Embedding) {
  const std::int64_t d = shape().d(), vocabulary = 50;
  const Owned table = random_.matrix(vocabulary, d), dx = random_.matrix(tokens(), d);
  Owned x(tokens(), d), expected(tokens(), d), dtable = random_.matrix(vocabulary, d), expected_dtable = dtable;
  backend_->embed(texts_, table, x);
  reference_->embed(texts_, table, expected);
  EXPECT_TRUE(same_bits(x, expected));
  backend_->embed_backward(texts_, dx, dtable);
  reference_->embed_backward(texts_, dx, expected_dtable);
  EXPECT_TRUE(same_bits(dtable, expected_dtable));
  backend_->embed(texts_, table, x, 6.5f);
  reference_->embed(texts_, table, expected, 6.5f);
  EXPECT_TRUE(same_bits(x, expected));
  backend_->embed_backward(texts_, dx, dtable, 6.5f);
  reference_->embed_backward(texts_, dx, expected_dtable, 6.5f);
  EXPECT_LT(relative_error(dtable, expected_dtable), 1e-6);
}

TEST_P(Operations, Pooling) {
  const std::int64_t d = shape().d(), texts = texts_.texts;
  const std::vector<PoolingMode> all{PoolingMode::cls,           PoolingMode::max,          PoolingMode::mean,
                                     PoolingMode::mean_sqrt_len, PoolingMode::weightedmean, PoolingMode::lasttoken};
  Owned h = random_.matrix(tokens(), d);
  for (std::int64_t i = 0; i < h.size(); ++i) h[i] = std::round(h[i] * 4) / 4;  // ties for the maximum
  std::vector<std::vector<PoolingMode>> lists{all};
  for (const PoolingMode mode : all) lists.push_back({mode});
  for (const auto& modes : lists) {
    const auto wide = d * static_cast<std::int64_t>(modes.size());
    Owned e(texts, wide, 9), expected(texts, wide);
    backend_->pool(texts_, h, modes, e);
    reference_->pool(texts_, h, modes, expected);
    EXPECT_TRUE(near(e, expected, 3e-7));
    const Owned de = random_.matrix(texts, wide);
    Owned dh(tokens(), d, 9), expected_dh(tokens(), d);
    backend_->pool_backward(texts_, h, modes, de, dh);
    reference_->pool_backward(texts_, h, modes, de, expected_dh);
    EXPECT_TRUE(near(dh, expected_dh, 1e-6));
  }
}

TEST_P(Operations, PoolingLeavesOutFirstTokens) {
  const std::int64_t d = shape().d(), texts = texts_.texts;
  std::vector<std::int32_t> skipped;
  for (std::int64_t b = 0; b < texts; ++b) {
    const std::int32_t count = texts_.offsets[b + 1] - texts_.offsets[b];
    skipped.push_back(b % 3 == 0 ? count : count / 2);
  }
  PackedTexts some = texts_;
  some.skipped = skipped.data();
  const Owned h = random_.matrix(tokens(), d);
  for (const PoolingMode mode : {PoolingMode::cls, PoolingMode::max, PoolingMode::mean, PoolingMode::mean_sqrt_len,
                                 PoolingMode::weightedmean, PoolingMode::lasttoken}) {
    const std::vector<PoolingMode> modes{mode};
    Owned e(texts, d, 9), expected(texts, d);
    backend_->pool(some, h, modes, e);
    reference_->pool(some, h, modes, expected);
    EXPECT_TRUE(near(e, expected, 3e-7)) << name_of(mode);
    const Owned de = random_.matrix(texts, d);
    Owned dh(tokens(), d, 9), expected_dh(tokens(), d);
    backend_->pool_backward(some, h, modes, de, dh);
    reference_->pool_backward(some, h, modes, de, expected_dh);
    EXPECT_TRUE(near(dh, expected_dh, 1e-6)) << name_of(mode);
  }
}

TEST_P(Operations, NormalizeRows) {
  Owned x = random_.matrix(tokens() + 2, shape().d());
  for (std::int64_t c = 0; c < x.cols(); ++c) x.at(1, c) = 0;  // an empty text's embedding
  Owned y(x.rows(), x.cols()), norms(x.rows(), 1), expected = y, expected_norms = norms;
  backend_->normalize_rows(x, y, norms);
  reference_->normalize_rows(x, expected, expected_norms);
  EXPECT_TRUE(near(y, expected, 5e-7));
  EXPECT_TRUE(near(norms, expected_norms, 5e-7));
  Owned in_place = x;
  backend_->normalize_rows(in_place, in_place, {});
  EXPECT_TRUE(same_bits(in_place, y));

  expected_norms[1] = 1;  // 1e12-fold gradients would hide the others
  const Owned dy = random_.matrix(x.rows(), x.cols());
  Owned dx = dy, expected_dx(x.rows(), x.cols());
  backend_->normalize_rows_backward(expected, expected_norms, dx, dx);
  reference_->normalize_rows_backward(expected, expected_norms, dy, expected_dx);
  EXPECT_TRUE(near(dx, expected_dx, 1e-6));
}

TEST_P(Operations, Matmul) {
  const std::int64_t m = tokens(), k = shape().d(), n = shape().d() / 2 + 5;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Owned a = ta ? random_.matrix(k, m) : random_.matrix(m, k),
                  b = tb ? random_.matrix(n, k) : random_.matrix(k, n);
      Owned c(m, n, 9), expected(m, n);
      backend_->matmul(a, ta, b, tb, 20, c);
      reference_->matmul(a, ta, b, tb, 20, expected);
      EXPECT_TRUE(near(c, expected, 2e-6)) << ta << tb;
    }
  }
}

TEST_P(Operations, CrossEntropy) {
  const std::int64_t texts = std::max<std::int64_t>(1, tokens() / 2), candidates = texts + shape().d();
  Owned scores = random_.matrix(texts, candidates, 8), expected = scores;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(texts));
  for (auto& label : labels) label = random_.below(static_cast<int>(candidates));
  const double loss = backend_->cross_entropy(scores, labels);
  EXPECT_NEAR(loss, reference_->cross_entropy(expected, labels), 1e-12 * std::abs(loss));
  EXPECT_TRUE(near(scores, expected, 1e-7));
}

TEST_P(Operations, Optimiser) {
  const std::int64_t rows = tokens() + 1, cols = shape().d() * 3 + 1;
  const Owned gradient = random_.matrix(rows, cols);
  Owned p = random_.matrix(rows, cols), m = random_.matrix(rows, cols, 0.1f), v = random_.matrix(rows, cols, 0.1f);
  for (std::int64_t i = 0; i < v.size(); ++i) v[i] = std::abs(v[i]);
  Owned expected_p = p, expected_m = m, expected_v = v;
  const AdamW options{.step_size = 0.01f, .decay = 1e-3f, .gradient_scale = 0.5f};
  backend_->adamw(options, gradient, p, m, v);
  reference_->adamw(options, gradient, expected_p, expected_m, expected_v);
  EXPECT_TRUE(near(p, expected_p, 3e-7));
  EXPECT_TRUE(near(m, expected_m, 3e-7));
  EXPECT_TRUE(near(v, expected_v, 3e-7));
  const double squares = reference_->sum_of_squares(gradient);
  EXPECT_NEAR(backend_->sum_of_squares(gradient), squares, 1e-12 * squares);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Operations, ::testing::ValuesIn(cases()), [](const auto& test) {
  return fmt::format("{}_{}", test.param.device.name, test.param.shape.name);
});

}  // namespace
}  // namespace sgpt::testing
