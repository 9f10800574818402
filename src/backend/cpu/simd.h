// To be included before Highway in every file of vector kernels: which instruction sets they are compiled for. Each
// costs compile time, so those that gain little are left out (SSSE3 and SSE4, which processors without AVX2 would use
// in place of plain code, and the later AVX-512 variants), and so is SVE, whose vectors cannot lie in arrays as the
// micro-kernel's accumulators do; such machines use NEON.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
