// AdamW (arXiv 1711.05101) as transformers.optimization.AdamW computes it.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/adamw.cpp"
#include <hwy/foreach_target.h>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

void adamw_n(const AdamW& options, const float* gradient, std::int64_t n, float* parameter, float* m, float* v) {
  const Floats beta1 = broadcast(static_cast<float>(options.beta1)),
               beta2 = broadcast(static_cast<float>(options.beta2));
  const Floats rest1 = broadcast(static_cast<float>(1 - options.beta1));
  const Floats rest2 = broadcast(static_cast<float>(1 - options.beta2));
  for (std::int64_t i = 0; i < n; i += lanes()) {
    const std::int64_t left = n - i;
    const Floats g = hn::Mul(load(gradient + i, left), broadcast(options.gradient_scale));
    const Floats mi = hn::MulAdd(beta1, load(m + i, left), hn::Mul(rest1, g));
    const Floats vi = hn::MulAdd(beta2, load(v + i, left), hn::Mul(rest2, hn::Mul(g, g)));
    const Floats step =
        hn::Div(hn::Mul(broadcast(options.step_size), mi), hn::Add(hn::Sqrt(vi), broadcast(options.eps)));
    const Floats stepped = hn::Sub(load(parameter + i, left), step);
    store(hn::NegMulAdd(broadcast(options.decay), stepped, stepped), parameter + i, left);
    store(mi, m + i, left);
    store(vi, v + i, left);
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(adamw_n);

void adamw(const AdamW& options, const float* gradient, std::int64_t n, float* parameter, float* m, float* v) {
  HWY_DYNAMIC_DISPATCH(adamw_n)(options, gradient, n, parameter, m, v);
}

}  // namespace sgpt::cpu
#endif
