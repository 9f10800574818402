// The exponential function, for what activations and probabilities need of it: relative errors of 1.2e-7 from -1 to 1,
// of 1e-6 at -20, in half the instructions of Highway's, which is more exact.
#if defined(SGPT_CPU_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SGPT_CPU_EXP_INL_H
#undef SGPT_CPU_EXP_INL_H
#else
#define SGPT_CPU_EXP_INL_H
#endif

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

constexpr float kLog2OfE = 1.4426950408889634f;

/// 2^x; below 2^-126 and above 2^126 those. NaN stays NaN: of Min and Max the second number is what counts then.
HWY_INLINE Floats exp2_of(Floats x) {
  const hn::RebindToSigned<F> i32;
  const Floats bounded = hn::Max(broadcast(-126.0f), hn::Min(broadcast(126.0f), x));
  // So large that an addition rounds to whole numbers, which then lie in the lowest bits: where exponents are added.
  const Floats to_whole = broadcast(0x1.8p23f), shifted = hn::Add(bounded, to_whole);
  const Floats rest = hn::Sub(bounded, hn::Sub(shifted, to_whole));  // from -1/2 to 1/2
  // 2^rest: the polynomial of degree 6 with value 1 at 0 whose largest relative error there is least, 2·10⁻⁹.
  Floats p = broadcast(0x1.41fbbcp-13f);
  p = hn::MulAdd(p, rest, broadcast(0x1.5f3e54p-10f));
  p = hn::MulAdd(p, rest, broadcast(0x1.3b2d4cp-7f));
  p = hn::MulAdd(p, rest, broadcast(0x1.c6aee8p-5f));
  p = hn::MulAdd(p, rest, broadcast(0x1.ebfbdcp-3f));
  p = hn::MulAdd(p, rest, broadcast(0x1.62e430p-1f));
  p = hn::MulAdd(p, rest, broadcast(1.0f));
  return hn::BitCast(F(), hn::Add(hn::BitCast(i32, p), hn::ShiftLeft<23>(hn::BitCast(i32, shifted))));
}

HWY_INLINE Floats exp_of(Floats x) { return exp2_of(hn::Mul(x, broadcast(kLog2OfE))); }

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
