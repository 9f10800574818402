// What the processor can do, as far as a choice of kernels asks: the one place that is asked. For tests, the
// environment variable SGPT_CPU_WITHOUT takes features away (a comma between names: amx, vnni, bf16, avx512), for our
// own kernels and for Highway's alike.
#pragma once

#include <string_view>

namespace sgpt::cpu {

/// A feature brings all before it: no processor has a later one alone.
struct Processor {
  bool avx512 = false;    ///< F, BW, DQ and VL
  bool vnni = false;      ///< AVX-512's sums of four products of bytes
  bool bf16 = false;      ///< AVX-512's sums of two products of bf16
  bool amx_bf16 = false;  ///< tiles of bf16, and the system lets this process use them
  bool amx_int8 = false;  ///< the same of bytes

  bool operator==(const Processor&) const = default;

  /// Without the features of these names, "vnni,amx", and without what depends on them. Throws UserError on a name that
  /// it does not know.
  Processor without(std::string_view names) const;
};

/// This machine's, less what SGPT_CPU_WITHOUT names. Asked once, when Highway is told too. Throws UserError.
const Processor& processor();

/// Whether SGPT_CPU_WITHOUT took something away that is there.
bool processor_is_limited();

}  // namespace sgpt::cpu
