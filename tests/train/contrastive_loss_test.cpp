// The loss against plain double loops, and its gradients against finite differences of these.
#include "train/contrastive_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/random.h"

namespace sgpt {
namespace {

using Rows = std::vector<std::vector<double>>;

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

double plain_loss(const Rows& queries, const Rows& candidates, std::size_t label_offset, double scale) {
  double loss = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    double sum = 0;
    for (const auto& candidate : candidates) sum += std::exp(scale * cosine(queries[i], candidate));
    loss += std::log(sum) - scale * cosine(queries[i], candidates[i + label_offset]);
  }
  return loss / static_cast<double>(queries.size());
}

Rows random_rows(Random& random, std::size_t rows, std::size_t cols) {
  Rows result(rows, std::vector<double>(cols));
  for (auto& row : result) {
    for (double& x : row) x = static_cast<float>(random.normal() + 0.5);
  }
  return result;
}

Matrix uploaded(Backend& backend, Arena& arena, const Rows& rows) {
  std::vector<float> host;
  for (const auto& row : rows) host.insert(host.end(), row.begin(), row.end());
  const auto count = static_cast<std::int64_t>(rows.size());
  const Matrix device = arena.take(count, static_cast<std::int64_t>(rows.front().size()));
  backend.upload(Matrix(host.data(), device.rows, device.cols), device);
  return device;
}

std::vector<float> downloaded(Backend& backend, ConstMatrix device) {
  std::vector<float> host(static_cast<std::size_t>(device.size()));
  backend.download(device, Matrix(host.data(), device.rows, device.cols));
  return host;
}

class ContrastiveLoss : public ::testing::TestWithParam<std::string> {};

/// Central differences of plain_loss over every number of `rows`, which is one of its two arguments.
void expect_gradient(Rows& rows, const std::vector<float>& gradient, const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  std::size_t place = 0;
  for (auto& row : rows) {
    for (double& x : row) {
      const double before = x;
      x = before + kStep;
      const double above = loss();
      x = before - kStep;
      const double below = loss();
      x = before;
      EXPECT_NEAR(gradient[place++], (above - below) / (2 * kStep), 2e-5);
    }
  }
}

TEST_P(ContrastiveLoss, AgreesWithPlainLoopsAndFiniteDifferences) {
  const auto backend = make_backend(GetParam());
  Arena arena(backend->memory());
  Random random(7);
  // Five queries, two columns of candidates; then the same as the second of two ranks, whose candidates stand behind.
  for (const std::size_t offset : {std::size_t{0}, std::size_t{5}}) {
    for (const double scale : {20.0, 3.0}) {
      Rows queries = random_rows(random, 5, 16);
      Rows candidates = random_rows(random, 10 + offset, 16);
      const Matrix q = uploaded(*backend, arena, queries);
      const Matrix c = uploaded(*backend, arena, candidates);
      const Matrix dq = arena.take(q.rows, q.cols);
      const Matrix dc = arena.take(c.rows, c.cols);
      const ContrastiveBatch batch{q, c, static_cast<std::int64_t>(offset), scale};
      const double loss = contrastive_loss(*backend, batch, dq, dc, arena);
      const auto plain = [&] { return plain_loss(queries, candidates, offset, scale); };
      EXPECT_NEAR(loss, plain(), 1e-5);
      expect_gradient(queries, downloaded(*backend, dq), plain);
      expect_gradient(candidates, downloaded(*backend, dc), plain);
    }
  }
}

TEST_P(ContrastiveLoss, LengthsOfEmbeddingsDoNotMatter) {
  const auto backend = make_backend(GetParam());
  Arena arena(backend->memory());
  Random random(8);
  Rows queries = random_rows(random, 4, 8);
  const Rows candidates = random_rows(random, 4, 8);
  const Matrix c = uploaded(*backend, arena, candidates);
  const Matrix dq = arena.take(4, 8);
  const Matrix dc = arena.take(4, 8);
  const double before = contrastive_loss(*backend, {uploaded(*backend, arena, queries), c}, dq, dc, arena);
  for (double& x : queries[2]) x *= 1000;
  const double after = contrastive_loss(*backend, {uploaded(*backend, arena, queries), c}, dq, dc, arena);
  EXPECT_NEAR(before, after, 1e-5);
}

TEST_P(ContrastiveLoss, OneQueryWithOneCandidateHasNothingToLearn) {
  const auto backend = make_backend(GetParam());
  Arena arena(backend->memory());
  Random random(9);
  const Matrix q = uploaded(*backend, arena, random_rows(random, 1, 8));
  const Matrix c = uploaded(*backend, arena, random_rows(random, 1, 8));
  const Matrix dq = arena.take(1, 8);
  const Matrix dc = arena.take(1, 8);
  EXPECT_NEAR(contrastive_loss(*backend, {q, c}, dq, dc, arena), 0, 1e-6);
  for (const float x : downloaded(*backend, dq)) EXPECT_NEAR(x, 0, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Backends, ContrastiveLoss, ::testing::Values("reference", "cpu"),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace sgpt
