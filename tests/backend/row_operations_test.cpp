// Norms, embeddings, pooling, loss and optimiser of every device against the reference, over one table of shapes.
#include "operations.h"

namespace sgpt::testing {
namespace {

class RowOperations : public OperationTest {};

TEST_P(RowOperations, RmsNorm) {
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

TEST_P(RowOperations, LayerNorm) {
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

TEST_P(RowOperations, Positions) {
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
TEST_P(RowOperations, Embedding) {
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

TEST_P(RowOperations, Pooling) {
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

TEST_P(RowOperations, PoolingLeavesOutFirstTokens) {
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

TEST_P(RowOperations, NormalizeRows) {
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

TEST_P(RowOperations, CrossEntropy) {
  const std::int64_t texts = std::max<std::int64_t>(1, tokens() / 2), candidates = texts + shape().d();
  Owned scores = random_.matrix(texts, candidates, 8), expected = scores;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(texts));
  for (auto& label : labels) label = random_.below(static_cast<int>(candidates));
  const double loss = backend_->cross_entropy(scores, labels);
  EXPECT_NEAR(loss, reference_->cross_entropy(expected, labels), 1e-12 * std::abs(loss));
  EXPECT_TRUE(near(scores, expected, 1e-7));
}

TEST_P(RowOperations, Optimiser) {
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

INSTANTIATE_TEST_SUITE_P(Shapes, RowOperations, ::testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace sgpt::testing
