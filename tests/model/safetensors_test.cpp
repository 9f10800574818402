// The safetensors reader and writer: what is right is read to the byte, what lies in any way is refused in one
// sentence.
#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "file_builders.h"
#include "fixtures.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using testing::as_bytes;
using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using testing::little_endian;
using testing::safetensors_file;
using ::testing::ThrowsMessage;

std::vector<CheckpointTensor> read(const std::string& file) {
  return read_safetensors(as_bytes(file), "w.safetensors");
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirData) {
  const std::string file = safetensors_file(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
      R"("z":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},"empty":{"dtype":"I64","shape":[0,3],"data_offsets":[4,4]}}   )",
      std::string("\x80\x3f\x00\x40", 4) + floats({1.5f, -2.0f}));
  const auto tensors = read(file);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "z");
  EXPECT_EQ(tensors[0].type, DType::bf16);
  EXPECT_THAT(tensors[0].shape, ElementsAre(1, 2));
  EXPECT_EQ(tensors[1].name, "empty");
  EXPECT_TRUE(tensors[1].bytes.empty());
  EXPECT_EQ(tensors[2].name, "a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensors[2].bytes.data()), 8), floats({1.5f, -2.0f}));
}

TEST(Safetensors, ReadsAScalarAndAFileWithoutTensors) {
  const std::string file =
      safetensors_file(R"({"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}})", std::string(8, 'x'));
  EXPECT_EQ(read(file).at(0).bytes.size(), 8u);
  EXPECT_TRUE(read(safetensors_file("{}", "")).empty());
}

struct BrokenFile {
  const char* name;
  std::string bytes;
  const char* message;
};

std::string one(const std::string& entry, std::size_t data_bytes = 8) {
  return safetensors_file(R"({"a":)" + entry + "}", std::string(data_bytes, 'x'));
}

std::vector<BrokenFile> broken_files() {
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string second = R"({"dtype":"F32","shape":[2],"data_offsets":[)";
  return {
      {"Empty", "", "truncated"},
      {"ShorterThanTheLength", "1234567", "truncated"},
      {"HeaderPastTheEnd", little_endian<std::uint64_t>(100) + "{}", "only 2 follow"},
      {"HeaderLength2To63", little_endian<std::uint64_t>(1ull << 63) + "{}", "9223372036854775808"},
      {"HeaderLengthMinusOne", little_endian<std::uint64_t>(~0ull) + "{}", "18446744073709551615"},
      {"HeaderNoJson", safetensors_file("hello", ""), "no valid JSON"},
      {"HeaderInvalidUtf8", safetensors_file("{\"\xff\":{}}", ""), "no valid JSON"},
      {"HeaderIsAList", safetensors_file("[]", ""), "no JSON object"},
      {"HeaderWithATail", safetensors_file("{}{}", ""), "no valid JSON"},
      {"DeeplyNested", safetensors_file(std::string(1'000'000, '['), ""), "nested deeper"},
      {"DuplicateName", safetensors_file(R"({"a":)" + good + R"(,"a":)" + good + "}", std::string(8, 'x')), "twice"},
      {"TruncatedData", one(good, 7), "truncated"},
      {"OverLong", one(good, 9), "over-long"},
      {"OverLongWithoutTensors", safetensors_file("{}", "x"), "over-long"},
      {"Overlap", safetensors_file(R"({"a":)" + good + R"(,"b":)" + second + "4,12]}}", std::string(12, 'x')),
       "overlap"},
      {"SamePlaceTwice", safetensors_file(R"({"a":)" + good + R"(,"b":)" + good + "}", std::string(8, 'x')), "overlap"},
      {"Hole", safetensors_file(R"({"a":)" + good + R"(,"b":)" + second + "12,20]}}", std::string(20, 'x')),
       "no tensor covers bytes 8 to 12"},
      {"PastTheEnd", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,16]})"), "ends at byte 16"},
      {"NegativeOffset", one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})"), "data_offsets"},
      {"Offset2To63", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775808]})"), "truncated"},
      {"OffsetBeyond64Bits", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]})"),
       "data_offsets"},
      {"FractionalOffset", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8.0]})"), "data_offsets"},
      {"BackwardOffsets", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "backwards"},
      {"ThreeOffsets", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})"), "two data_offsets"},
      {"ShapeDisagrees", one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), "take 12 bytes"},
      {"ShapeOverflows", one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"), "too large"},
      {"ShapeOverflowsToTheRightSize", one(R"({"dtype":"F32","shape":[4611686018427387905,2],"data_offsets":[0,8]})"),
       "too large"},
      {"ShapeSize2To63", one(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]})"), "too large"},
      {"NegativeShape", one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "shape"},
      {"ShapeNoList", one(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"), "shape is missing or no list"},
      {"DtypeMissing", one(R"({"shape":[2],"data_offsets":[0,8]})"), "dtype"},
      {"UnknownKey", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})"), "unknown key"},
      {"EntryNoObject", one("7"), "expected {dtype, shape, data_offsets}"},
      {"MetadataNoObject", safetensors_file(R"({"__metadata__":3})", ""), "__metadata__"},
      {"MetadataNoString", safetensors_file(R"({"__metadata__":{"a":3}})", ""), "__metadata__"},
  };
}

class BrokenSafetensors : public ::testing::TestWithParam<BrokenFile> {};

TEST_P(BrokenSafetensors, IsRefusedInOneSentenceThatNamesTheFile) {
  EXPECT_THAT([&] { read(GetParam().bytes); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("w.safetensors: "), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenSafetensors, ::testing::ValuesIn(broken_files()),
                         [](const auto& one_case) { return std::string(one_case.param.name); });

TEST(Safetensors, TakesElementTypesThatItDoesNotKnowForForeign) {
  for (const char* type : {"U16", "U32", "U64", "C64", "F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "later"}) {
    const std::string file = safetensors_file(
        std::string(R"({"a":{"dtype":")") + type + R"(","shape":[3],"data_offsets":[0,8]}})", std::string(8, 'x'));
    const auto tensors = read_safetensors(testing::as_bytes(file), "file");
    ASSERT_EQ(tensors.size(), 1u) << type;
    EXPECT_THAT(tensors[0].foreign, ::testing::HasSubstr(type));
  }
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string file = safetensors_file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "12345678");
  for (std::size_t size = 0; size < file.size(); ++size) EXPECT_THROW(read(file.substr(0, size)), UserError) << size;
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const testing::TempFolder folder;
  const std::string pair = floats({1.0f, 2.0f});
  TensorToWrite half{"small \"quoted\" é", DType::f16, {3}, as_bytes("abcdef"), {}};
  TensorToWrite whole{"a", DType::f32, {1, 2}, as_bytes(pair), {}};
  // Longer than two pieces, made as its turn comes.
  TensorToWrite made{"made", DType::u8, {9'000'001}, {}, [](std::uint64_t first, std::span<std::byte> piece) {
                       for (std::size_t i = 0; i < piece.size(); ++i)
                         piece[i] = static_cast<std::byte>((first + i) % 251);
                     }};
  const auto path = folder / "model.safetensors";
  write_safetensors(path, std::vector{half, made, whole});
  const MappedFile file(path);
  EXPECT_EQ((file.bytes().size() - 9'000'001 - 14) % 8, 0u) << "the data should begin at a multiple of 8";
  const auto tensors = read_safetensors(file);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "a");  // wider types first, so that each is aligned
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensors[0].bytes.data()), 8), pair);
  EXPECT_EQ(tensors[1].name, half.name);
  EXPECT_EQ(tensors[1].type, DType::f16);
  ASSERT_EQ(tensors[2].bytes.size(), 9'000'001u);
  for (std::size_t i = 0; i < tensors[2].bytes.size(); ++i) {
    ASSERT_EQ(tensors[2].bytes[i], static_cast<std::byte>(i % 251)) << i;
  }
}

TEST(SafetensorsFixture, EveryFileIsReadAndWrittenBack) {
  const auto folders = testing::fixtures("models");
  ASSERT_FALSE(folders.empty());
  const testing::TempFolder temp;
  int files = 0;
  for (const auto& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".safetensors") continue;
      ++files;
      const MappedFile file(entry.path());
      const auto tensors = read_safetensors(file);
      EXPECT_FALSE(tensors.empty()) << entry.path();
      std::vector<TensorToWrite> list;
      for (const auto& t : tensors) list.push_back({t.name, t.type, t.shape, t.bytes, {}});
      write_safetensors(temp / "copy", list);
      const MappedFile copy(temp / "copy");
      const auto again = read_safetensors(copy);
      ASSERT_EQ(again.size(), tensors.size());
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        EXPECT_EQ(again[i].name, tensors[i].name);
        EXPECT_EQ(again[i].shape, tensors[i].shape);
        EXPECT_TRUE(
            std::equal(again[i].bytes.begin(), again[i].bytes.end(), tensors[i].bytes.begin(), tensors[i].bytes.end()));
      }
    }
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace sgpt
