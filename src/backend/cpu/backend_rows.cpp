// Operations on rows, columns or single elements: moving data, embedding, LayerNorm, RMSNorm, bias gradients, GELU,
// gates, the optimiser.
#include <cstring>
#include <numeric>
#include <vector>

#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/tokens.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt {

std::unique_ptr<Backend> make_cpu_backend(CpuProducts products, std::int64_t least_streamed) {
  using Kernel = cpu::Products::Kernel;
  return std::make_unique<cpu::CpuBackend>(products == CpuProducts::best ? Kernel::best : Kernel::simd, least_streamed);
}

namespace cpu {
namespace {

constexpr std::int64_t kRowsPerTask = 16;
constexpr std::int64_t kElementsPerTask = 16384;
// Sums over tokens are taken over pieces of this many rows, and the pieces added up in their order, in double: so they
// do not depend on the threads, and many tokens lose no digits.
constexpr std::int64_t kRowsPerSum = 64;
constexpr std::int64_t kColumnsPerTask = 512;

/// Rows may be heads, many and short.
std::int64_t rows_per_task(std::int64_t cols) { return std::max(kRowsPerTask, kElementsPerTask / cols); }

}  // namespace

void CpuBackend::upload(ConstMatrix host, Matrix device) {
  checks::moves(host, device);
  if (host.bytes() > 0) std::memcpy(device.data, host.data, host.bytes());
}

void CpuBackend::download(ConstMatrix device, Matrix host) { upload(device, host); }

void CpuBackend::zero(Matrix x) {
  if (x.bytes() > 0) std::memset(x.data, 0, x.bytes());
}

PackedTexts CpuBackend::place(const TokenBatch& batch, Arena&) { return view_of(batch); }

void CpuBackend::embed(const PackedTexts& texts, ConstMatrix table, Matrix x, float factor) {
  checks::embeds(texts, table, x);
  parallel_ranges(texts.tokens, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      convert_to_floats(table.slice(texts.ids[t], 1).data, table.type, table.cols, x.f32_row(t));
      if (factor != 1) scale(factor, table.cols, x.f32_row(t));
    }
  });
}

void CpuBackend::embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable, float factor) {
  checks::embeds_backward(texts, dx, dtable);
  // By columns, so that each thread walks the tokens in their order.
  parallel_ranges(dx.cols, kColumnsPerTask / 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < texts.tokens; ++t) {
      float* to = dtable.f32_row(texts.ids[t]) + begin;
      if (factor == 1) {
        add_to(dx.f32_row(t) + begin, end - begin, to);
      } else {
        add_scaled(dx.f32_row(t) + begin, factor, end - begin, to);
      }
    }
  });
}

void CpuBackend::add_positions(const PackedTexts& texts, ConstMatrix table, Matrix x) {
  checks::adds_positions(texts, table, x);
  for_each_token(texts, [&](std::int64_t t, std::int64_t position) {
    const ConstMatrix row = table.slice(position, 1);
    if (row.type == DType::f32) return add_to(row.f32(), row.cols, x.f32_row(t));
    thread_local std::vector<float> floats;
    floats.resize(static_cast<std::size_t>(row.cols));
    convert_to_floats(row.data, row.type, row.cols, floats.data());
    add_to(floats.data(), row.cols, x.f32_row(t));
  });
}

void CpuBackend::add_positions_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) {
  checks::adds_positions(texts, dtable, dx);
  // By columns, as embed_backward.
  parallel_ranges(dx.cols, kColumnsPerTask / 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = 0; b < texts.texts; ++b) {
      for (std::int64_t t = texts.offsets[b]; t < texts.offsets[b + 1]; ++t) {
        add_to(dx.f32_row(t) + begin, end - begin, dtable.f32_row(t - texts.offsets[b]) + begin);
      }
    }
  });
}

void CpuBackend::layer_norm(ConstMatrix x, ConstMatrix weight, const Bias& bias, float eps, Matrix y, Matrix stats) {
  checks::normalizes_layer(x, weight, y, stats);
  parallel_ranges(x.rows, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    layer_norm_rows({.x = x.f32_row(begin),
                     .weight = weight.f32(),
                     .bias = bias.table.f32(),
                     .bias_row_of = bias.row_of ? bias.row_of + begin : nullptr,
                     .eps = eps,
                     .rows = end - begin,
                     .d = x.cols,
                     .y = y.f32_row(begin),
                     .stats = stats ? stats.f32_row(begin) : nullptr});
  });
}

void CpuBackend::layer_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy, Matrix dx,
                                     Matrix dweight, Matrix dbias) {
  checks::normalizes_layer_backward(x, stats, weight, dy, dx, dweight, dbias);
  const std::int64_t d = x.cols, pieces = (x.rows + kRowsPerSum - 1) / kRowsPerSum;
  std::vector<float> sums(static_cast<std::size_t>(pieces * 2 * d));  // per piece: dweight, dbias
  parallel_ranges(x.rows, kRowsPerSum, [&](std::int64_t begin, std::int64_t end) {
    float* piece = sums.data() + begin / kRowsPerSum * 2 * d;
    layer_norm_backward_rows({x.f32_row(begin), stats.f32_row(begin), weight.f32(), dy.f32_row(begin),
                              dx.f32_row(begin), dweight ? piece : nullptr, dbias ? piece + d : nullptr, end - begin,
                              d});
  });
  const auto add_up = [&](Matrix gradient, std::int64_t which) {
    if (!gradient) return;
    std::vector<double> total(static_cast<std::size_t>(d));
    for (std::int64_t p = 0; p < pieces; ++p) add_weighted(sums.data() + (2 * p + which) * d, 1, d, total.data());
    for (std::int64_t c = 0; c < d; ++c) gradient.f32()[c] += static_cast<float>(total[static_cast<std::size_t>(c)]);
  };
  add_up(dweight, 0);
  add_up(dbias, 1);
}

void CpuBackend::rms_norm(ConstMatrix x, ConstMatrix weight, const RmsNorm& norm, Matrix y, Matrix stats) {
  checks::normalizes_squares(x, weight, y, stats);
  parallel_ranges(x.rows, rows_per_task(x.cols), [&](std::int64_t begin, std::int64_t end) {
    rms_norm_rows({.x = x.f32_row(begin),
                   .weight = weight.f32(),
                   .norm = norm,
                   .rows = end - begin,
                   .d = x.cols,
                   .y = y.f32_row(begin),
                   .stats = stats ? stats.f32() + begin : nullptr});
  });
}

void CpuBackend::rms_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, const RmsNorm& norm,
                                   ConstMatrix dy, Matrix dx, Matrix dweight) {
  checks::normalizes_squares_backward(x, stats, weight, dy, dx, dweight);
  const std::int64_t d = x.cols, pieces = (x.rows + kRowsPerSum - 1) / kRowsPerSum;
  std::vector<float> sums(dweight ? static_cast<std::size_t>(pieces * d) : 0);
  parallel_ranges(x.rows, kRowsPerSum, [&](std::int64_t begin, std::int64_t end) {
    rms_norm_backward_rows({.x = x.f32_row(begin),
                            .stats = stats.f32() + begin,
                            .weight = weight.f32(),
                            .dy = dy.f32_row(begin),
                            .norm = norm,
                            .dx = dx.f32_row(begin),
                            .dweight = dweight ? sums.data() + begin / kRowsPerSum * d : nullptr,
                            .rows = end - begin,
                            .d = d});
  });
  if (!dweight) return;
  std::vector<double> total(static_cast<std::size_t>(d));
  for (std::int64_t p = 0; p < pieces; ++p) add_weighted(sums.data() + p * d, 1, d, total.data());
  for (std::int64_t c = 0; c < d; ++c) dweight.f32()[c] += static_cast<float>(total[static_cast<std::size_t>(c)]);
}

void CpuBackend::linear_backward_bias(ConstMatrix dy, Matrix dbias) {
  checks::sums_columns(dy, dbias);
  parallel_ranges(dy.cols, kColumnsPerTask, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> total(static_cast<std::size_t>(end - begin));
    std::vector<float> piece(total.size());
    for (std::int64_t first = 0; first < dy.rows; first += kRowsPerSum) {
      std::fill(piece.begin(), piece.end(), 0.0f);
      const std::int64_t rows = std::min(kRowsPerSum, dy.rows - first);
      add_column_sums(dy.f32_row(first) + begin, rows, end - begin, dy.cols, piece.data());
      add_weighted(piece.data(), 1, end - begin, total.data());
    }
    for (std::int64_t c = begin; c < end; ++c)
      dbias.f32()[c] += static_cast<float>(total[static_cast<std::size_t>(c - begin)]);
  });
}

void CpuBackend::gelu(ConstMatrix z, Matrix y) {
  checks::changes_elements(z, y);
  parallel_ranges(z.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    cpu::gelu(z.f32() + begin, y.f32() + begin, end - begin);
  });
}

void CpuBackend::gelu_backward(ConstMatrix z, Matrix dy) {
  checks::changes_elements(z, dy);
  parallel_ranges(z.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    cpu::gelu_backward(z.f32() + begin, dy.f32() + begin, end - begin);
  });
}

void CpuBackend::gate(Activation activation, ConstMatrix a, ConstMatrix u, Matrix y) {
  checks::gates(a, u, y, y);
  parallel_ranges(a.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    cpu::gate(activation, a.f32() + begin, u.f32() + begin, y.f32() + begin, end - begin);
  });
}

void CpuBackend::gate_backward(Activation activation, ConstMatrix a, ConstMatrix u, Matrix dy, Matrix da) {
  checks::gates(a, u, dy, da);
  parallel_ranges(a.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    cpu::gate_backward(activation, a.f32() + begin, u.f32() + begin, dy.f32() + begin, da.f32() + begin, end - begin);
  });
}

double CpuBackend::sum_of_squares(ConstMatrix x) {
  std::vector<double> sums(static_cast<std::size_t>((x.size() + kElementsPerTask - 1) / kElementsPerTask));
  parallel_ranges(x.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    sums[static_cast<std::size_t>(begin / kElementsPerTask)] = dot(x.f32() + begin, x.f32() + begin, end - begin);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void CpuBackend::adamw(const AdamW& options, ConstMatrix gradient, Matrix parameter, Matrix m, Matrix v) {
  checks::updates(gradient, parameter, m, v);
  parallel_ranges(parameter.size(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
    cpu::adamw(options, gradient.f32() + begin, end - begin, parameter.f32() + begin, m.f32() + begin, v.f32() + begin);
  });
}

}  // namespace cpu
}  // namespace sgpt
