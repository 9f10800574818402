// The reference's gradients against finite differences of its own forward operations. The scalar that is differentiated
// is Σ weight · output with random weights; four evaluations a number make the difference quotient exact to fourth
// order, so that the step can be large enough for float outputs.
#include <functional>

#include "attention_cases.h"
#include "backend/reference/reference_backend.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

class Gradients : public ::testing::Test {
 protected:
  static double weighted(const Owned& output, const Owned& weights) {
    double sum = 0;
    for (std::int64_t i = 0; i < output.size(); ++i) sum += static_cast<double>(output[i]) * weights[i];
    return sum;
  }

  /// d f / d x against `gradient`, number by number.
  static void check(Owned& x, const Owned& gradient, const std::function<double()>& f, double tolerance = 2e-4) {
    ASSERT_EQ(x.size(), gradient.size());
    double largest = 1e-3;
    for (std::int64_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(gradient[i])));
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const float kept = x[i];
      const auto at = [&](float step) {
        x[i] = kept + step;
        return f();
      };
      constexpr float kStep = 1.0f / 64;
      const double near = (at(kStep) - at(-kStep)) / (2.0 * kStep),
                   far = (at(2 * kStep) - at(-2 * kStep)) / (4.0 * kStep);
      x[i] = kept;
      ASSERT_NEAR(gradient[i], (4 * near - far) / 3, tolerance * largest) << "number " << i;
    }
  }

  Random random_{11};
  std::unique_ptr<Backend> backend_ = make_reference_backend();
  Arena arena_{host_memory()};
};

TEST_F(Gradients, LayerNorm) {
  const std::int64_t rows = 3, d = 7;
  Owned x = random_.matrix(rows, d), weight = random_.matrix(1, d), bias = random_.matrix(1, d);
  const Owned dy = random_.matrix(rows, d);
  const auto loss = [&] {
    Owned y(rows, d);
    backend_->layer_norm(x, weight, bias, 1e-5f, y, {});
    return weighted(y, dy);
  };
  Owned y(rows, d), stats(rows, 2), dx(rows, d), dweight(1, d), dbias(1, d);
  backend_->layer_norm(x, weight, bias, 1e-5f, y, stats);
  backend_->layer_norm_backward(x, stats, weight, dy, dx, dweight, dbias);
  check(x, dx, loss);
  check(weight, dweight, loss);
  check(bias, dbias, loss);
}

TEST_F(Gradients, RmsNorm) {
  const std::int64_t rows = 3, d = 7;
  for (const RmsNorm& norm : {RmsNorm{}, RmsNorm{.eps = 1e-2f, .plus = 1}, RmsNorm{.plus = 1, .add = true}}) {
    Owned x = random_.matrix(rows, d), weight = random_.matrix(1, d);
    const Owned dy = random_.matrix(rows, d), before = random_.matrix(rows, d);
    const auto loss = [&] {
      Owned y = before;
      backend_->rms_norm(x, weight, norm, y, {});
      return weighted(y, dy);
    };
    Owned y(rows, d), stats(rows, 1), dx(rows, d), dweight(1, d);
    backend_->rms_norm(x, weight, norm, y, stats);
    backend_->rms_norm_backward(x, stats, weight, norm, dy, dx, dweight);
    check(x, dx, loss);
    check(weight, dweight, loss);
  }
}

TEST_F(Gradients, Gate) {
  for (const Activation activation : {Activation::silu, Activation::gelu}) {
    Owned a = random_.matrix(5, 9, 2), u = random_.matrix(5, 9, 2), da(5, 9);
    const Owned weights = random_.matrix(5, 9);
    Owned du = weights;
    backend_->gate_backward(activation, a, u, du, da);
    const auto loss = [&] {
      Owned y(5, 9);
      backend_->gate(activation, a, u, y);
      return weighted(y, weights);
    };
    check(a, da, loss);
    check(u, du, loss);
  }
}

TEST_F(Gradients, Linear) {
  const std::int64_t rows = 4, in = 5, out = 3;
  Owned x = random_.matrix(rows, in), w = random_.matrix(out, in), bias = random_.matrix(1, out);
  const Owned dy = random_.matrix(rows, out);
  const auto loss = [&] {
    Owned y(rows, out);
    backend_->linear(x, *backend_->pack(w, WeightUse::forward), bias, y, Epilogue::none);
    return weighted(y, dy);
  };
  Owned dx(rows, in), dw(out, in), db(1, out);
  backend_->linear_backward_input(dy, *backend_->pack(w, WeightUse::forward_and_backward), dx);
  backend_->linear_backward_weight(dy, x, dw);
  backend_->linear_backward_bias(dy, db);
  check(x, dx, loss);
  check(w, dw, loss);
  check(bias, db, loss);
}

TEST_F(Gradients, Gelu) {
  Owned z = random_.matrix(5, 9, 2);
  const Owned weights = random_.matrix(5, 9);
  Owned dz = weights;
  backend_->gelu_backward(z, dz);
  check(z, dz, [&] {
    Owned y(5, 9);
    backend_->gelu(z, y);
    return weighted(y, weights);
  });
}

TEST_F(Gradients, Attention) {
  const std::int64_t heads = 3, dim = 4, d = heads * dim;
  const TokenBatch batch = random_.batch({3, 0, 1, 5, 11});
  const PackedTexts texts = backend_->place(batch, arena_);
  Owned slopes(1, heads);
  for (std::int64_t h = 0; h < heads; ++h) slopes[h] = 0.25f * static_cast<float>(h);
  const Owned dy = random_.matrix(texts.tokens, d);
  for (const Scores& scores : all_scores()) {
    SCOPED_TRACE(scores.name);
    const AttentionOptions options = options_of(scores, slopes, dim);
    QkvMatrices qkv =
        random_qkv(random_, scores.layout, texts.tokens, heads, dim, scores.scaled ? 1 : 0.7f, scores.group(heads));
    QkvMatrices dqkv(scores.layout, texts.tokens, heads, dim, 0, scores.group(heads));
    Owned y(texts.tokens, d), sums(texts.tokens, heads);
    backend_->attention(texts, qkv.view(), options, y, sums);
    backend_->attention_backward(texts, qkv.view(), options, sums, dy, dqkv.view());
    for (std::size_t i = 0; i < 3; ++i) {
      check(qkv.parts[i], dqkv.parts[i], [&] {
        Owned out(texts.tokens, d);
        backend_->attention(texts, qkv.view(), options, out, {});
        return weighted(out, dy);
      });
    }
  }
}

TEST_F(Gradients, Rotation) {
  const std::int64_t heads = 2, dim = 6;
  const TokenBatch batch = random_.batch({4, 0, 3});
  const PackedTexts texts = backend_->place(batch, arena_);
  const Owned turns = random_turns(random_, 4, 4), weights = random_.matrix(texts.tokens, heads * dim);
  for (const Pairing pairing : {Pairing::neighbours, Pairing::halves}) {
    const Owned laid = pairing == Pairing::halves ? in_halves(turns) : turns;
    Owned x = random_.matrix(texts.tokens, heads * dim), dx = weights;
    backend_->rotate(texts, {dx, 0, dim}, heads, laid, pairing, true);
    check(x, dx, [&] {
      Owned turned = x;
      backend_->rotate(texts, {turned, 0, dim}, heads, laid, pairing, false);
      return weighted(turned, weights);
    });
  }
}

TEST_F(Gradients, PositionEmbedding) {
  const TokenBatch batch = random_.batch({4, 0, 6});
  const PackedTexts texts = backend_->place(batch, arena_);
  Owned table = random_.matrix(7, 3), dtable(7, 3);
  const Owned x = random_.matrix(texts.tokens, 3), dx = random_.matrix(texts.tokens, 3);
  backend_->add_positions_backward(texts, dx, dtable);
  check(table, dtable, [&] {
    Owned sum = x;
    backend_->add_positions(texts, table, sum);
    return weighted(sum, dx);
  });
}

TEST_F(Gradients, Pooling) {
  const TokenBatch batch = random_.batch({4, 0, 1, 6});
  const PackedTexts texts = backend_->place(batch, arena_);
  const std::int64_t d = 3;
  Owned h = random_.matrix(texts.tokens, d, 3);  // far apart, so that no step changes which token is the maximum
  for (const PoolingMode mode : {PoolingMode::cls, PoolingMode::max, PoolingMode::mean, PoolingMode::mean_sqrt_len,
                                 PoolingMode::weightedmean, PoolingMode::lasttoken}) {
    const std::vector<PoolingMode> modes{mode, PoolingMode::mean};
    const Owned de = random_.matrix(texts.texts, 2 * d);
    Owned dh(texts.tokens, d);
    backend_->pool_backward(texts, h, modes, de, dh);
    check(h, dh, [&] {
      Owned e(texts.texts, 2 * d);
      backend_->pool(texts, h, modes, e);
      return weighted(e, de);
    });
  }
}

TEST_F(Gradients, PoolingThatLeavesOutFirstTokens) {
  TokenBatch batch = random_.batch({4, 2, 6});
  batch.skipped = {1, 2, 3};
  const PackedTexts texts = backend_->place(batch, arena_);
  const std::int64_t d = 3;
  Owned h = random_.matrix(texts.tokens, d, 3);
  for (const PoolingMode mode : {PoolingMode::cls, PoolingMode::max, PoolingMode::mean, PoolingMode::mean_sqrt_len,
                                 PoolingMode::weightedmean, PoolingMode::lasttoken}) {
    const std::vector<PoolingMode> modes{mode};
    const Owned de = random_.matrix(texts.texts, d);
    Owned dh(texts.tokens, d);
    backend_->pool_backward(texts, h, modes, de, dh);
    check(h, dh, [&] {
      Owned e(texts.texts, d);
      backend_->pool(texts, h, modes, e);
      return weighted(e, de);
    });
  }
}

TEST_F(Gradients, Embedding) {
  const TokenBatch batch = random_.batch({4, 6}, 5);
  const PackedTexts texts = backend_->place(batch, arena_);
  Owned table = random_.matrix(5, 3), dtable(5, 3);
  const Owned dx = random_.matrix(texts.tokens, 3);
  backend_->embed_backward(texts, dx, dtable, 2.5f);
  check(table, dtable, [&] {
    Owned x(texts.tokens, 3);
    backend_->embed(texts, table, x, 2.5f);
    return weighted(x, dx);
  });
}

TEST_F(Gradients, NormalizeRows) {
  Owned x = random_.matrix(4, 6), y(4, 6), norms(4, 1), dx(4, 6);
  const Owned dy = random_.matrix(4, 6);
  backend_->normalize_rows(x, y, norms);
  backend_->normalize_rows_backward(y, norms, dy, dx);
  check(x, dx, [&] {
    Owned out(4, 6);
    backend_->normalize_rows(x, out, {});
    return weighted(out, dy);
  });
}

TEST_F(Gradients, CrossEntropy) {
  Owned scores = random_.matrix(4, 7, 2), gradient = scores;
  const std::vector<std::int32_t> labels{3, 0, 6, 3};
  backend_->cross_entropy(gradient, labels);
  check(scores, gradient, [&] {
    Owned copy = scores;
    return backend_->cross_entropy(copy, labels);
  });
}

}  // namespace
}  // namespace sgpt::testing
