// What the processor can do, less what was taken away for a test; and with each feature taken away that this machine
// has, all that the backend promises, in processes of their own.
#include "backend/cpu/processor.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <sstream>

#include "devices.h"
#include "other_process.h"
#include "sgpt/error.h"

namespace sgpt::testing {
namespace {

using cpu::Processor;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr Processor kAll{.avx512 = true, .vnni = true, .bf16 = true, .amx_bf16 = true, .amx_int8 = true};

TEST(Processors, LoseWhatIsNamedAndWhatDependsOnIt) {
  EXPECT_EQ(kAll.without(""), kAll);
  EXPECT_EQ(kAll.without("amx"), (Processor{.avx512 = true, .vnni = true, .bf16 = true}));
  EXPECT_EQ(kAll.without("vnni"), (Processor{.avx512 = true, .bf16 = true}));
  EXPECT_EQ(kAll.without("bf16"), (Processor{.avx512 = true, .vnni = true}));
  EXPECT_EQ(kAll.without("amx,bf16,vnni"), Processor{.avx512 = true});
  EXPECT_EQ(kAll.without("avx512"), Processor{});
  EXPECT_EQ(Processor{}.without("avx512,amx"), Processor{});
}

TEST(Processors, RefuseNamesThatTheyDoNotKnow) {
  for (const char* names : {"avx", "amx,AVX512", "amx;vnni", ",amx"}) {
    EXPECT_THAT([&] { (void)kAll.without(names); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("SGPT_CPU_WITHOUT"), HasSubstr("amx, vnni, bf16 or avx512"))))
        << names;
  }
}

/// Of this process, whose environment may name some.
TEST(Processors, AreWithoutWhatTheEnvironmentNames) {
  const char* names = std::getenv("SGPT_CPU_WITHOUT");
  const Processor has = cpu::processor();
  EXPECT_EQ(has, has.without(names ? names : ""));
  if (!has.avx512) {
    EXPECT_EQ(hwy::SupportedTargets() & (HWY_AVX3 | HWY_AVX3_DL), 0);
  }
  const auto backend = make_cpu_backend();
  EXPECT_EQ(backend->computes(ComputeType::bf16), has.bf16);
  EXPECT_EQ(backend->kernel_name(ComputeType::f32), "own f32");
  EXPECT_EQ(backend->kernel_name(ComputeType::int8), has.amx_int8 ? "own amx_int8"
                                                     : has.vnni   ? "own avx512_vnni"
                                                                  : "own int16 pairs");
  EXPECT_EQ(backend->kernel_name(ComputeType::bf16), has.amx_bf16 ? "own amx_bf16" : has.bf16 ? "own avx512_bf16" : "");
}

struct Lesser {
  const char* feature;
  bool Processor::*there;
};
void PrintTo(const Lesser& lesser, std::ostream* out) { *out << lesser.feature; }

class LesserProcessors : public ::testing::TestWithParam<Lesser> {};

TEST_P(LesserProcessors, KeepEveryPromise) {
  if (!(cpu::processor().*GetParam().there)) GTEST_SKIP() << "this machine has none of it to take away";
  EXPECT_TRUE(pass_with(fmt::format("SGPT_CPU_WITHOUT={}", GetParam().feature),
                        "Processors.*:Devices/Invariance.*/cpu:Devices/ComputeTypes.*/cpu_bf16:Devices/ComputeTypes.*/"
                        "cpu_int8:Devices/Int8.*/cpu:"
                        "Devices/Bf16Training.*/cpu:Int8Kernels.*:Bf16Kernels.*:Cases/AttentionOnTiles.*"));
}

INSTANTIATE_TEST_SUITE_P(Without, LesserProcessors,
                         ::testing::Values(Lesser{"amx", &Processor::amx_bf16}, Lesser{"vnni", &Processor::vnni},
                                           Lesser{"bf16", &Processor::bf16}, Lesser{"avx512", &Processor::avx512}),
                         [](const auto& test) { return std::string(test.param.feature); });

}  // namespace
}  // namespace sgpt::testing
