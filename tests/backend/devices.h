// The backends that every test of an operation runs on, beside the reference: the cpu backend as this machine has it,
// and with our own products compiled for each instruction set that the machine has.
#pragma once

#include "backend/cpu/simd.h"

#include <hwy/targets.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/processor.h"

namespace sgpt::testing {

struct Device {
  std::string name;
  CpuProducts products;
  std::int64_t instructions;  // Highway's target, 0 for the best

  /// Reads lasting and trained matrices of any size where they lie, or packs all.
  std::unique_ptr<Backend> make(bool streams = true) const {
    return make_cpu_backend(products, streams ? 0 : std::numeric_limits<std::int64_t>::max());
  }
};

inline void PrintTo(const Device& device, std::ostream* out) { *out << device.name; }

inline std::vector<Device> devices() {
  cpu::processor();  // tells Highway what was taken away
  std::vector<Device> all{{"cpu", CpuProducts::best, 0}};
  std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  for (; targets != 0; targets &= targets - 1) {
    const std::int64_t one = targets & -targets;
    all.push_back({std::string("cpu_own_products_") + hwy::TargetName(one), CpuProducts::simd, one});
  }
  return all;
}

/// Makes the vector kernels run on a device's instruction set while it lives.
class InstructionScope {
 public:
  explicit InstructionScope(const Device& device) { use(device.instructions); }
  ~InstructionScope() { use(0); }
  InstructionScope(const InstructionScope&) = delete;
  InstructionScope& operator=(const InstructionScope&) = delete;

 private:
  static void use(std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

}  // namespace sgpt::testing
