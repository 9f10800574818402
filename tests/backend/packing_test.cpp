// Weights and embeddings in the types of checkpoints: converted exactly, and packed to the same bits as their f32
// values.
#include <array>
#include <bit>

#include "backend/reference/reference_backend.h"
#include "base/threads.h"
#include "devices.h"
#include "matrices.h"
#include "tensor/quantize.h"

namespace sgpt::testing {
namespace {

class Packing : public ::testing::TestWithParam<Device> {
 protected:
  std::unique_ptr<PackedWeight> pack(ConstMatrix weight, WeightSource source) {
    return backend_->pack(weight, WeightUse::forward_and_backward, ComputeType::f32, {}, source);
  }

  InstructionScope instructions_{GetParam()};
  std::unique_ptr<Backend> backend_ = GetParam().make();
  Arena arena_{host_memory()};
  Random random_{5};
};

/// All 65,536 bit patterns as an embedding table of 256 rows.
TEST_P(Packing, EveryHalfConvertsExactly) {
  std::vector<std::uint16_t> table(65536);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint16_t>(i);
  TokenBatch batch;
  for (std::int32_t row = 0; row < 256; ++row) batch.add(std::vector<std::int32_t>{row});
  const PackedTexts texts = backend_->place(batch, arena_);
  for (const DType type : {DType::f16, DType::bf16}) {
    Owned x(256, 256);
    backend_->embed(texts, ConstMatrix(table.data(), 256, 256, type), x);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const auto bits = static_cast<std::uint16_t>(i);
      const float expected = type == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(x[i])) << bits;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(x[i]), std::bit_cast<std::uint32_t>(expected)) << bits;
      }
    }
  }
}

/// A matrix of 16-bit numbers, and the same numbers as floats.
struct Halves {
  Halves(std::int64_t rows, std::int64_t cols, DType type_, Random& random)
      : type(type_), bits(static_cast<std::size_t>(rows * cols)), floats(rows, cols) {
    for (std::int64_t i = 0; i < floats.size(); ++i) {
      // Ordinary numbers of either sign: an exponent near the middle, any mantissa.
      const int sign = random.below(2) << 15, mantissa = random.below(1024);
      const auto half = static_cast<std::uint16_t>(type == DType::f16 ? sign | (13 << 10) | mantissa
                                                                      : sign | 0x3e00 | (mantissa & 0xff));
      bits[static_cast<std::size_t>(i)] = half;
      floats[i] = type == DType::f16 ? float_from_f16(half) : float_from_bf16(half);
    }
  }
  ConstMatrix matrix() const { return {bits.data(), floats.rows(), floats.cols(), type}; }

  DType type;
  std::vector<std::uint16_t> bits;
  Owned floats;
};

TEST_P(Packing, HalfWeightsComputeAsTheirFloats) {
  // Rows for one tile and for many; inner sizes below, at and past the blocks that the kernels cut them into.
  for (const auto& [in, out, rows] : std::vector<std::array<std::int64_t, 3>>{
           {77, 301, 9}, {256, 64, 130}, {520, 130, 260}, {1, 3, 2}, {64, 1030, 33}}) {
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out);
    for (const DType type : {DType::f16, DType::bf16}) {
      const Halves weight(out, in, type, random_);
      for (const WeightSource source : {WeightSource::passing, WeightSource::lasting}) {
        const auto from_half = pack(weight.matrix(), source), from_full = pack(weight.floats, source);
        Owned y1(rows, out), y2(rows, out), dx1(rows, in), dx2(rows, in);
        backend_->linear(x, *from_half, {}, y1, Epilogue::none);
        backend_->linear(x, *from_full, {}, y2, Epilogue::none);
        EXPECT_TRUE(same_bits(y1, y2)) << name_of(type) << ", " << in << " to " << out;
        backend_->linear_backward_input(dy, *from_half, dx1);
        backend_->linear_backward_input(dy, *from_full, dx2);
        EXPECT_TRUE(same_bits(dx1, dx2)) << name_of(type) << ", " << in << " to " << out;
      }
    }
  }
}

TEST_P(Packing, WeightsReadWhereTheyLieComputeAsPackedOnes) {
  for (const auto& [in, out, rows] : std::vector<std::array<std::int64_t, 3>>{
           {77, 301, 9}, {256, 64, 130}, {520, 130, 260}, {1, 3, 2}, {64, 1030, 33}, {1090, 70, 7}}) {
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out), w = random_.matrix(out, in);
    const auto streamed = pack(w, WeightSource::lasting), packed = pack(w, WeightSource::passing);
    Owned y1(rows, out), y2(rows, out), dx1(rows, in), dx2(rows, in);
    backend_->linear(x, *streamed, {}, y1, Epilogue::none);
    backend_->linear(x, *packed, {}, y2, Epilogue::none);
    EXPECT_TRUE(same_bits(y1, y2)) << in << " to " << out;
    backend_->linear_backward_input(dy, *streamed, dx1);
    backend_->linear_backward_input(dy, *packed, dx2);
    EXPECT_TRUE(same_bits(dx1, dx2)) << in << " to " << out;
  }
}

TEST_P(Packing, LastingWeightsTakeNoMemoryOfTheirOwn) {
  const Halves weight(96, 64, DType::bf16, random_);
  for (const ConstMatrix matrix : {weight.matrix(), ConstMatrix(weight.floats)}) {
    const auto streamed = pack(matrix, WeightSource::lasting), packed = pack(matrix, WeightSource::passing);
    EXPECT_TRUE(streamed->reads_source());
    EXPECT_EQ(streamed->bytes(), 0u);
    EXPECT_FALSE(packed->reads_source());
    EXPECT_GE(packed->bytes(), std::size_t{2 * 96 * 64} * sizeof(float));
  }
}

TEST_P(Packing, SmallWeightsArePacked) {
  const auto backend = make_cpu_backend(GetParam().products);
  const Owned small(1023, 1024), large(1024, 1024);
  const auto pack_lasting = [&](const Owned& matrix) {
    return backend->pack(matrix, WeightUse::forward, ComputeType::f32, {}, WeightSource::lasting);
  };
  EXPECT_FALSE(pack_lasting(small)->reads_source());
  EXPECT_TRUE(pack_lasting(large)->reads_source());
}

/// Whether what a weight will take is what it then takes, but for padding.
void expect_planned(Backend& backend, const WeightToPack& planned) {
  SCOPED_TRACE(::testing::Message() << backend.name() << ": " << planned.out << " x " << planned.in << " of "
                                    << name_of(planned.stored) << " for " << name_of(planned.type)
                                    << (planned.trained ? ", trained" : ""));
  const std::vector<float> zeros(static_cast<std::size_t>(planned.out * planned.in));  // so many bytes, of any type
  const ConstMatrix matrix(zeros.data(), planned.out, planned.in, planned.stored);
  const Owned scales(planned.out, quantization_blocks(planned.in));
  const auto packed = planned.trained ? backend.pack_trained(matrix, planned.use, planned.type)
                                      : backend.pack(matrix, planned.use, planned.type,
                                                     planned.stored == DType::i8 ? ConstMatrix(scales) : ConstMatrix(),
                                                     WeightSource::lasting);
  const PackedMemory plan = backend.plan_pack(planned);
  EXPECT_EQ(plan.reads_source, packed->reads_source());
  const auto taken = static_cast<double>(packed->bytes());
  EXPECT_NEAR(static_cast<double>(plan.bytes), taken, 0.03 * taken);
}

TEST_P(Packing, WhatAWeightTakesIsKnownBefore) {
  const std::unique_ptr<Backend> backends[] = {GetParam().make(true), GetParam().make(false),
                                               make_cpu_backend(GetParam().products), make_reference_backend()};
  for (const auto& backend : backends) {
    for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::int8}) {
      if (!backend->computes(type)) continue;
      for (const WeightUse use : {WeightUse::forward, WeightUse::forward_and_backward}) {
        for (const auto& [out, in] : {std::pair{512, 1536}, std::pair{1024, 1024}}) {
          for (const DType stored : {DType::f32, DType::f16, DType::i8}) {
            expect_planned(*backend, {out, in, stored, use, type});
          }
          if (type != ComputeType::int8) expect_planned(*backend, {out, in, DType::f32, use, type, true});
        }
      }
    }
  }
}

TEST_P(Packing, LastingWeightsComputeRowsAloneAndWithAnyThreads) {
  const std::int64_t in = 300, out = 200, rows = 400;
  const Owned x = random_.matrix(rows, in), bias = random_.matrix(1, out);
  const Halves bf16(out, in, DType::bf16, random_), f16(out, in, DType::f16, random_);
  for (const ConstMatrix matrix : {bf16.matrix(), f16.matrix(), ConstMatrix(bf16.floats)}) {
    const auto weight = pack(matrix, WeightSource::lasting);
    const auto linear = [&](const Owned& input, int threads) {
      const ThreadScope scope(threads);
      Owned y(input.rows(), out);
      backend_->linear(input, *weight, bias, y, Epilogue::gelu);
      return y;
    };
    const Owned all = linear(x, 1);
    for (const int threads : {2, 3, 16}) {
      EXPECT_TRUE(same_bits(linear(x, threads), all)) << threads << " threads";
      for (const std::int64_t count : {1, 5, 33, 64, 65, 129, 257}) {
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        EXPECT_TRUE(same_bits(linear(x.slice(first, count), threads), all.slice(first, count)))
            << count << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Packing, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param.name; });

TEST(Backends, AreFoundByName) {
  for (const auto name : backend_names()) EXPECT_EQ(make_backend(name)->name(), name);
}

}  // namespace
}  // namespace sgpt::testing
