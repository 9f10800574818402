// Loads and stores of rows of any length, and sums over lanes, for the vector kernels.
#if defined(SGPT_CPU_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SGPT_CPU_SIMD_INL_H
#undef SGPT_CPU_SIMD_INL_H
#else
#define SGPT_CPU_SIMD_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using Floats = hn::Vec<F>;

HWY_INLINE std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(F())); }

/// The `left` floats at p, at most a vector, and zeros past them; nothing past them is read. With none left p may be
/// null.
HWY_INLINE Floats load(const float* p, std::int64_t left) {
  const F f;
  if (HWY_LIKELY(left >= lanes())) return hn::LoadU(f, p);
  HWY_ALIGN float tail[hn::MaxLanes(F())] = {};
  if (left > 0) std::memcpy(tail, p, static_cast<std::size_t>(left) * sizeof(float));
  return hn::Load(f, tail);
}

/// Stores the first `left` lanes, at most a vector; nothing past them is written.
HWY_INLINE void store(Floats v, float* p, std::int64_t left) {
  const F f;
  if (HWY_LIKELY(left >= lanes())) {
    hn::StoreU(v, f, p);
    return;
  }
  HWY_ALIGN float tail[hn::MaxLanes(F())];
  hn::Store(v, f, tail);
  if (left > 0) std::memcpy(p, tail, static_cast<std::size_t>(left) * sizeof(float));
}

/// The same, rounded to the nearest bf16, ties to even.
HWY_INLINE void store_rounded(Floats v, std::uint16_t* p, std::int64_t left) {
  const hn::RebindToUnsigned<F> u32;
  const hn::RebindToSigned<F> i32;
  const hn::Rebind<std::uint16_t, F> u16;
  const auto bits = hn::BitCast(u32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u32, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(u32, 0x7fff)));
  const auto kept = hn::IfThenElse(hn::RebindMask(u32, hn::IsNaN(v)), hn::Set(u32, 0x7fc00000), rounded);
  const auto halves = hn::DemoteTo(u16, hn::BitCast(i32, hn::ShiftRight<16>(kept)));
  if (HWY_LIKELY(left >= lanes())) {
    hn::StoreU(halves, u16, p);
    return;
  }
  HWY_ALIGN std::uint16_t tail[hn::MaxLanes(F())];
  hn::StoreU(halves, u16, tail);
  if (left > 0) std::memcpy(p, tail, static_cast<std::size_t>(left) * sizeof(std::uint16_t));
}

HWY_INLINE Floats broadcast(float x) { return hn::Set(F(), x); }
HWY_INLINE float sum_of(Floats v) { return hn::GetLane(hn::SumOfLanes(F(), v)); }

/// Lanes below `left` keep v, the others become zero.
HWY_INLINE Floats first_lanes(Floats v, std::int64_t left) {
  return left >= lanes() ? v : hn::IfThenElseZero(hn::FirstN(F(), static_cast<std::size_t>(left)), v);
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
