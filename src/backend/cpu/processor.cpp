#include "backend/cpu/processor.h"

#include "backend/cpu/simd.h"

#include <hwy/targets.h>

#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "sgpt/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sgpt::cpu {
namespace {

constexpr const char* kVariable = "SGPT_CPU_WITHOUT";

#if defined(__x86_64__) && defined(__linux__)

/// A system grants the tiles' large registers to a process that asks, or does not know of them.
bool tiles_are_granted() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

Processor detect() {
  Processor found;
  found.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  found.vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
  found.bf16 = found.avx512 && __builtin_cpu_supports("avx512bf16");
  // Compilers' own question does not know the tiles everywhere.
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kAmxBf16 = 1U << 22;
  constexpr unsigned kAmxTile = 1U << 24;
  constexpr unsigned kAmxInt8 = 1U << 25;
  const bool tiles = found.vnni && found.bf16 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAmxTile) != 0 &&
                     tiles_are_granted();
  found.amx_bf16 = tiles && (d & kAmxBf16) != 0;
  found.amx_int8 = tiles && (d & kAmxInt8) != 0;
  return found;
}

#else

Processor detect() { return {}; }

#endif

struct Limited {
  Processor processor;
  bool limited;
};

Limited ask() {
  const Processor all = detect();
  const char* names = std::getenv(kVariable);
  const Processor left = names ? all.without(names) : all;
  if (!left.avx512) hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  return {left, left != all};
}

const Limited& this_machine() {
  static const Limited asked = ask();
  return asked;
}

}  // namespace

Processor Processor::without(std::string_view names) const {
  Processor left = *this;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (name == "avx512") {
      left = {};
    } else if (name == "vnni") {
      left.vnni = left.amx_bf16 = left.amx_int8 = false;
    } else if (name == "bf16") {
      left.bf16 = left.amx_bf16 = left.amx_int8 = false;
    } else if (name == "amx") {
      left.amx_bf16 = left.amx_int8 = false;
    } else {
      throw UserError(fmt::format("{}: found \"{}\"; expected amx, vnni, bf16 or avx512, with commas between them",
                                  kVariable, name));
    }
  }
  return left;
}

const Processor& processor() { return this_machine().processor; }
bool processor_is_limited() { return this_machine().limited; }

}  // namespace sgpt::cpu
