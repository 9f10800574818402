// Every operation on matrices and heads of every device against the reference, over one table of shapes.
// (row_operations_test.cpp has those that work row by row.)
#include "operations.h"

#include "attention_cases.h"

namespace sgpt::testing {
namespace {

class Operations : public OperationTest {};

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

INSTANTIATE_TEST_SUITE_P(Shapes, Operations, ::testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace sgpt::testing
