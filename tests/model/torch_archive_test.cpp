// The reader of PyTorch's .bin files: zip archive, pickle and storages, right and broken.
#include "model/torch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "file_builders.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using testing::as_bytes;
using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using testing::torch_zip;
using testing::ZipFile;
namespace pickled = testing::pickled;

const std::string kSix = floats({0, 1, 2, 3, 4, 5});

std::vector<CheckpointTensor> read(const std::string& file) { return read_torch_archive(as_bytes(file), "w.bin"); }

std::string one_tensor(const pickled::Tensor& tensor) {
  return torch_zip(pickled::file(pickled::dict({{"a", tensor.pickle()}})), {kSix}).bytes();
}

TEST(TorchArchive, ReadsADictOfTensors) {
  const std::string pickle = pickled::file(pickled::dict({{"a", pickled::Tensor{}.pickle()}}));
  for (const bool zip64 : {false, true}) {
    ZipFile zip = torch_zip(pickle, {kSix});
    zip.zip64 = zip64;
    const std::string file = zip.bytes();
    const auto tensors = read(file);
    ASSERT_EQ(tensors.size(), 1u);
    EXPECT_EQ(tensors[0].name, "a");
    EXPECT_EQ(tensors[0].type, DType::f32);
    EXPECT_THAT(tensors[0].shape, ElementsAre(2, 3));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensors[0].bytes.data()), 24), kSix);
  }
}

TEST(TorchArchive, ReadsAStateDictWithItsMetadataAndParameters) {
  // torch.save(module.state_dict()): an OrderedDict whose _metadata is set as an attribute.
  const std::string parameter = pickled::call(pickled::global("torch._utils", "_rebuild_parameter"),
                                              {pickled::Tensor{}.pickle(), "\x88", pickled::ordered_dict()});
  const std::string pickle = pickled::file(pickled::ordered_dict() + "(" + pickled::text("weight") + parameter + "u}" +
                                           pickled::text("_metadata") + pickled::ordered_dict() + "sb");
  const std::string file = torch_zip(pickle, {kSix}).bytes();
  const auto tensors = read(file);
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(tensors[0].name, "weight");
}

TEST(TorchArchive, TensorsShareAStorage) {
  pickled::Tensor row;
  row.offset = 3;
  row.sizes = {3};
  row.strides = {1};
  const std::string file =
      torch_zip(pickled::file(pickled::dict({{"all", pickled::Tensor{}.pickle()}, {"row", row.pickle()}})), {kSix})
          .bytes();
  const auto tensors = read(file);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[1].bytes.data(), tensors[0].bytes.data() + 12);
}

TEST(TorchArchive, ReadsEveryElementType) {
  for (const auto& [storage, type, elements] :
       {std::tuple{"HalfStorage", DType::f16, 12}, std::tuple{"BFloat16Storage", DType::bf16, 12},
        std::tuple{"DoubleStorage", DType::f64, 3}, std::tuple{"LongStorage", DType::i64, 3},
        std::tuple{"IntStorage", DType::i32, 6}, std::tuple{"ShortStorage", DType::i16, 12},
        std::tuple{"CharStorage", DType::i8, 24}, std::tuple{"ByteStorage", DType::u8, 24},
        std::tuple{"BoolStorage", DType::boolean, 24}}) {
    pickled::Tensor tensor{storage, "0", elements, 0, {elements}, {1}};
    const std::string file = one_tensor(tensor);
    EXPECT_EQ(read(file).at(0).type, type);
    EXPECT_EQ(read(file).at(0).bytes.size(), 24u);
  }
}

TEST(TorchArchive, TheStrideOfASizeOfOneIsOfNoAccount) {
  const pickled::Tensor tensor{"FloatStorage", "0", 6, 0, {1, 6, 1}, {77, 1, 99}};
  EXPECT_EQ(read(one_tensor(tensor)).at(0).bytes.size(), 24u);
}

TEST(TorchArchive, TakesWhatItCannotUseForForeign) {
  using namespace pickled;
  const auto foreign = [](const std::string& pickle) {
    const auto tensors = read(torch_zip(file(dict({{"a", pickle}})), {kSix}).bytes());
    return tensors.at(0).foreign;
  };
  EXPECT_THAT(foreign(Tensor{"FloatStorage", "0", 6, 0, {3, 2}, {1, 3}}.pickle()), HasSubstr("not contiguous"));
  EXPECT_THAT(foreign(Tensor{"FloatStorage", "0", 6, 0, {2, 3}, {0, 1}}.pickle()), HasSubstr("not contiguous"));
  EXPECT_THAT(foreign(Tensor{"ComplexFloatStorage", "0", 3, 0, {3}, {1}}.pickle()), HasSubstr("ComplexFloat"));
  // As torch.save writes the younger types: bytes without a type, and the type beside them.
  const std::string bytes =
      tuple({text("storage"), global("torch.storage", "UntypedStorage"), text("0"), text("cpu"), integer(24)}) + "Q";
  EXPECT_THAT(
      foreign(call(global("torch._utils", "_rebuild_tensor_v3"), {bytes, integer(0), shape({24}), shape({1}), "\x89",
                                                                  ordered_dict(), global("torch", "float8_e4m3fn")})),
      HasSubstr("torch.float8_e4m3fn"));
  EXPECT_EQ(foreign(Tensor{}.pickle()), "");
}

struct BrokenArchive {
  const char* name;
  std::string bytes;
  const char* message;
};

std::string with_pickle(const std::string& content) { return torch_zip(pickled::file(content), {kSix}).bytes(); }

std::string changed(std::string bytes, std::string_view find, std::size_t offset, std::string_view put) {
  return bytes.replace(bytes.rfind(find) + offset, put.size(), put);
}

std::vector<BrokenArchive> broken_archives() {
  using namespace pickled;
  const std::string good = one_tensor({});
  ZipFile compressed = torch_zip(file(dict({})), {});
  compressed.method = 8;
  ZipFile twice = torch_zip(file(dict({})), {});
  twice.entries.push_back(twice.entries.front());
  ZipFile big_endian = torch_zip(file(dict({})), {});
  big_endian.entries[1].second = "big";
  ZipFile no_pickle;
  no_pickle.entries = {{"archive/version", "3\n"}};
  ZipFile wide = torch_zip(file(dict({{"a", Tensor{}.pickle()}})), {kSix});
  wide.zip64 = true;
  const std::string zip64 = wide.bytes();
  const std::string all_ones(8, '\xff');
  return {
      {"Empty", "", "truncated"},
      {"NoZip", "this is no zip archive at all, not by far", "directory"},
      {"LegacyFormat", "\x80\x02\x8a\x0a" + std::string(100, 'x'), "torch.save("},
      {"OverLong", good + "x", "over-long"},
      {"Compressed", compressed.bytes(), "compressed"},
      {"EntryTwice", twice.bytes(), "twice"},
      {"BigEndian", big_endian.bytes(), "byte order"},
      {"NoPickle", no_pickle.bytes(), "data.pkl"},
      {"DirectoryPastTheEnd", changed(good, "PK\5\6", 16, "\xf0\xff\xff\x7f"), "the directory"},
      {"DirectoryTooLong", changed(good, "PK\5\6", 12, "\xf0\xff\xff\x7f"), "the directory"},
      {"TooManyEntries", changed(good, "PK\5\6", 10, "\xf0\xff"), "entries"},
      {"TooFewEntries", changed(good, "PK\5\6", 10, std::string_view("\1\0", 2)), "longer than its entries"},
      {"LocalHeaderPastTheEnd", changed(good, "PK\1\2", 42, "\xf0\xff\xff\x7f"), "a local header"},
      {"ContentPastTheEnd", changed(good, "PK\1\2", 20, "\xf0\xff\xff\x7f\xf0\xff\xff\x7f"), "content"},
      {"SizesDisagree", changed(good, "PK\1\2", 20, "\x03"), "two different sizes"},
      {"LocalNameDisagrees", changed(good, "archive/version3", 0, "brchive"), "is not that of"},
      {"Encrypted", changed(good, "PK\1\2", 8, "\x01"), "encrypted"},
      {"NoZip64Locator", changed(good, "PK\5\6", 16, "\xff\xff\xff\xff"), "zip64 locator"},
      {"Zip64EndFarAway", changed(zip64, "PK\6\7", 8, all_ones), "zip64 end record"},
      {"Zip64DirectoryFarAway", changed(zip64, "PK\6\6", 48, all_ones), "the directory"},
      {"Zip64SizeMinusOne", changed(zip64, "PK\6\6", 40, all_ones), "the directory"},
      {"Zip64CountMinusOne", changed(zip64, "PK\6\6", 32, all_ones), "entries"},
      {"NotADict", with_pickle(text("weights")), "expected a dict"},
      {"KeyNoText", with_pickle("}K\x01" + Tensor{}.pickle() + "s"), "names of tensors"},
      {"ValueNoTensor", with_pickle(dict({{"epoch", integer(3)}})), "\"epoch\": expected a tensor"},
      {"NestedStateDict", with_pickle(dict({{"state_dict", dict({})}})), "\"state_dict\": expected a tensor"},
      {"StorageAsTensor", with_pickle(dict({{"a", storage("FloatStorage", "0", 6)}})), "expected a tensor"},
      {"TensorTwice", with_pickle(dict({{"a", Tensor{}.pickle()}, {"a", Tensor{}.pickle()}})), "twice"},
      {"OsSystem", with_pickle(dict({{"a", call(global("os", "system"), {text("touch x")})}})), "\"os.system\""},
      {"BuiltinEval", with_pickle(call(global("builtins", "eval"), {text("1")})), "\"builtins.eval\""},
      {"TorchLoad", with_pickle(call(global("torch", "load"), {text("x")})), "\"torch.load\""},
      {"CallOfAStorageClass", with_pickle(call(global("torch", "FloatStorage"), {})), "refused"},
      {"DictWithArguments", with_pickle(call(global("collections", "OrderedDict"), {"]"})), "refused"},
      {"ParameterOfNothing", with_pickle(call(global("torch._utils", "_rebuild_parameter"), {"N", "N", "N"})),
       "refused"},
      {"TensorOfNothing",
       with_pickle(call(global("torch._utils", "_rebuild_tensor_v2"), {"N", "N", "N", "N", "N", "N"})),
       "from a storage"},
      {"TensorOfTooLittle", with_pickle(call(global("torch._utils", "_rebuild_tensor_v2"), {"N"})), "from a storage"},
      {"StorageMissing", one_tensor({"FloatStorage", "7"}), "no storage \"7\""},
      {"StorageOutside", one_tensor({"FloatStorage", "../data.pkl"}), "no storage"},
      {"StorageTooLong", one_tensor({"FloatStorage", "0", 7}), "should have 7"},
      {"StorageNegative", one_tensor({"FloatStorage", "0", -6}), "should have -6"},
      {"StorageOfAnotherType", one_tensor({"DoubleStorage", "0", 6}), "should have 6"},
      {"StorageOfNoType",
       with_pickle(dict(
           {{"a", tuple({text("storage"), global("collections", "OrderedDict"), text("0"), text("cpu"), integer(6)}) +
                      "Q"}})),
       "is no storage"},
      {"PersistentText", with_pickle(text("storage") + "Q"), "is no storage"},
      {"PastTheStorage", one_tensor({"FloatStorage", "0", 6, 1}), "does not fit"},
      {"NegativeOffset", one_tensor({"FloatStorage", "0", 6, -1}), "does not fit"},
      {"ShapeTooLarge", one_tensor({"FloatStorage", "0", 6, 0, {3, 3}, {3, 1}}), "does not fit"},
      {"ShapeOverflows", one_tensor({"FloatStorage", "0", 6, 0, {INT32_MAX, INT32_MAX, INT32_MAX}, {1, 1, 1}}),
       "broken shape"},
      {"NegativeShape", one_tensor({"FloatStorage", "0", 6, 0, {-2, -3}, {3, 1}}), "broken shape"},
      {"TooFewStrides", one_tensor({"FloatStorage", "0", 6, 0, {2, 3}, {3}}), "broken shape"},
      {"TooManyDimensions", one_tensor({"FloatStorage", "0", 6, 0, std::vector<std::int32_t>(65, 1), {1}}),
       "dimensions"},
  };
}

class BrokenTorchArchive : public ::testing::TestWithParam<BrokenArchive> {};

TEST_P(BrokenTorchArchive, IsRefusedInOneSentenceThatNamesTheFile) {
  EXPECT_THAT([&] { read(GetParam().bytes); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("w.bin: "), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenTorchArchive, ::testing::ValuesIn(broken_archives()),
                         [](const auto& one_case) { return std::string(one_case.param.name); });

TEST(TorchArchive, RefusesEveryTruncation) {
  const std::string file = one_tensor({});
  for (std::size_t size = 0; size < file.size(); ++size) EXPECT_THROW(read(file.substr(0, size)), UserError) << size;
}

}  // namespace
}  // namespace sgpt
