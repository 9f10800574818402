// The promise that the model stands on: a row, or a text, has the same bits whatever lies beside it, wherever it lies,
// and with any number of threads.
#include <thread>

#include "attention_cases.h"
#include "base/threads.h"
#include "devices.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

class Invariance : public ::testing::TestWithParam<Device> {
 protected:
  /// What `function` returns with one thread must come out of it with other numbers of threads.
  template <class Function>
  void same_with_any_threads(Function function) {
    const Owned one = [&] {
      const ThreadScope scope(1);
      return function();
    }();
    for (const int threads : {2, 3, 7}) {
      const ThreadScope scope(threads);
      EXPECT_TRUE(same_bits(function(), one)) << threads << " threads";
    }
  }

  Random random_{23};
  InstructionScope instructions_{GetParam()};
  std::unique_ptr<Backend> backend_ = GetParam().make();
  Arena arena_{host_memory()};
};

TEST_P(Invariance, LinearRowsAreIndependent) {
  for (const auto& [in, out] : std::vector<std::pair<std::int64_t, std::int64_t>>{{16, 48},
                                                                                  {64, 64},
                                                                                  {96, 100},
                                                                                  {100, 300},
                                                                                  {333, 7},
                                                                                  {256, 1024},
                                                                                  {1024, 256},
                                                                                  {1100, 260},
                                                                                  {4096, 64},
                                                                                  {1, 9}}) {
    const std::int64_t rows = 150;
    const Owned x = random_.matrix(rows, in), bias = random_.matrix(1, out);
    const Owned matrix = random_.matrix(out, in);
    for (const WeightSource source : {WeightSource::passing, WeightSource::lasting}) {
      const auto weight = backend_->pack(matrix, WeightUse::forward_and_backward, ComputeType::f32, {}, source);
      Owned all(rows, out);
      backend_->linear(x, *weight, bias, all, Epilogue::gelu);
      const Owned dy = random_.matrix(rows, out);
      Owned all_dx(rows, in);
      backend_->linear_backward_input(dy, *weight, all_dx);
      for (const std::int64_t count : {1, 2, 3, 5, 8, 13, 31, 32, 33, 64, 100, 127, 129}) {
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        Owned some(count, out), some_dx(count, in);
        backend_->linear(x.slice(first, count), *weight, bias, some, Epilogue::gelu);
        ASSERT_TRUE(same_bits(some, all.slice(first, count)))
            << in << " to " << out << ", " << count << " rows from " << first;
        backend_->linear_backward_input(dy.slice(first, count), *weight, some_dx);
        ASSERT_TRUE(same_bits(some_dx, all_dx.slice(first, count))) << count << " rows from " << first;
      }
    }
  }
}

TEST_P(Invariance, MatmulRowsAreIndependent) {
  const std::int64_t rows = 140, inner = 700, cols = 300;  // queries against documents
  const Owned a = random_.matrix(rows, inner), b = random_.matrix(cols, inner);
  Owned all(rows, cols);
  backend_->matmul(a, false, b, true, 20, all);
  for (const std::int64_t count : {1, 7, 64, 129}) {
    const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
    Owned some(count, cols);
    backend_->matmul(a.slice(first, count), false, b, true, 20, some);
    EXPECT_TRUE(same_bits(some, all.slice(first, count))) << count;
  }
}

TEST_P(Invariance, TextsAreIndependent) {
  for (const std::int64_t dim : {20, 64}) {
    const std::int64_t heads = 3, d = heads * dim;
    const std::vector<int> lengths{7, 60, 1, 0, 25, 300, 48, 49};
    const TokenBatch batch = random_.batch(lengths);
    const PackedTexts texts = backend_->place(batch, arena_);
    const std::vector<PoolingMode> modes{PoolingMode::weightedmean, PoolingMode::mean, PoolingMode::max};
    const Owned slopes = random_.matrix(1, heads, 0.1f), dy = random_.matrix(texts.tokens, d);
    for (const Scores& scores : all_scores()) {
      SCOPED_TRACE(scores.name);
      const AttentionOptions options = options_of(scores, slopes, dim);
      QkvMatrices qkv =
          random_qkv(random_, scores.layout, texts.tokens, heads, dim, scores.scaled ? 1 : 0.5f, scores.group(heads));
      QkvMatrices dqkv(scores.layout, texts.tokens, heads, dim, 0, scores.group(heads));
      Owned y(texts.tokens, d), sums(texts.tokens, heads), e(texts.texts, 3 * d);
      backend_->attention(texts, qkv.view(), options, y, sums);
      backend_->attention_backward(texts, qkv.view(), options, sums, dy, dqkv.view());
      backend_->pool(texts, y, modes, e);
      for (std::size_t b = 0; b < lengths.size(); ++b) {
        const std::int64_t first = batch.offsets[b], n = lengths[b];
        const TokenBatch alone = random_.batch({lengths[b]});
        const PackedTexts text = backend_->place(alone, arena_);
        QkvMatrices qkv1 = qkv.slice(first, n), dqkv1(scores.layout, n, heads, dim, 0, scores.group(heads));
        Owned y1(n, d), sums1(n, heads), e1(1, 3 * d);
        backend_->attention(text, qkv1.view(), options, y1, sums1);
        backend_->attention_backward(text, qkv1.view(), options, sums1, dy.slice(first, n), dqkv1.view());
        backend_->pool(text, y1, modes, e1);
        EXPECT_TRUE(same_bits(y1, y.slice(first, n)));
        EXPECT_TRUE(same_bits(sums1, sums.slice(first, n)));
        for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(dqkv1.parts[i], dqkv.slice(first, n).parts[i]));
        EXPECT_TRUE(same_bits(e1, e.slice(static_cast<std::int64_t>(b), 1)));
      }
    }
  }
}

TEST_P(Invariance, ThreadsDoNotMatter) {
  const std::int64_t rows = 333, in = 130, out = 520;
  const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out), bias = random_.matrix(1, out);
  const Owned scale = random_.matrix(1, in);
  const auto weight = backend_->pack(random_.matrix(out, in), WeightUse::forward_and_backward);
  same_with_any_threads([&] {
    Owned y(rows, out);
    backend_->linear(x, *weight, bias, y, Epilogue::gelu);
    return y;
  });
  same_with_any_threads([&] {
    Owned dw(out, in);
    backend_->linear_backward_weight(dy, x, dw);
    return dw;
  });
  same_with_any_threads([&] {
    Owned db(1, out);
    backend_->linear_backward_bias(dy, db);
    return db;
  });
  same_with_any_threads([&] {
    Owned y(rows, in), stats(rows, 2), dx(rows, in), gradients(2, in);
    backend_->layer_norm(x, scale, scale, 1e-5f, y, stats);
    Matrix both = gradients;
    backend_->layer_norm_backward(x, stats, scale, y, dx, both.slice(0, 1), both.slice(1, 1));
    return gradients;
  });
  const TokenBatch batch = random_.batch({100, 233});
  const PackedTexts texts = backend_->place(batch, arena_);
  same_with_any_threads([&] {
    Owned table(50, in);
    backend_->embed_backward(texts, x, table);
    return table;
  });
  same_with_any_threads([&] {
    Owned scores = dy, loss(1, 2);
    loss[0] = static_cast<float>(backend_->cross_entropy(scores, std::vector<std::int32_t>(rows, 3)));
    loss[1] = static_cast<float>(backend_->sum_of_squares(dy));
    return loss;
  });
}

TEST_P(Invariance, TwoThreadsMayUseOneBackend) {
  const std::int64_t rows = 90, in = 96, out = 200;
  const Owned x = random_.matrix(rows, in), bias = random_.matrix(1, out);
  const auto weight = backend_->pack(random_.matrix(out, in), WeightUse::forward);
  Owned expected(rows, out);
  backend_->linear(x, *weight, bias, expected, Epilogue::gelu);
  std::vector<Owned> found(4, Owned(rows, out));
  std::vector<std::thread> callers;
  for (Owned& y : found) {
    callers.emplace_back([&] {
      for (std::int64_t count = 1; count <= rows; count += 11) {
        Owned some(count, out);
        backend_->linear(x.slice(0, count), *weight, bias, some, Epilogue::gelu);
      }
      backend_->linear(x, *weight, bias, y, Epilogue::gelu);
    });
  }
  for (auto& caller : callers) caller.join();
  for (const Owned& y : found) EXPECT_TRUE(same_bits(y, expected));
}

INSTANTIATE_TEST_SUITE_P(Devices, Invariance, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace sgpt::testing
