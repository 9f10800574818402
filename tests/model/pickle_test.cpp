// The pickle machine alone: its values, its refusals, and reading an outermost dict as a stream.
#include "model/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <string>

#include "file_builders.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using testing::as_bytes;
using ::testing::HasSubstr;
using testing::little_endian;
using ::testing::ThrowsMessage;
namespace pickled = testing::pickled;

std::string big_endian(double value) {
  const std::string little = little_endian(value);
  return {little.rbegin(), little.rend()};
}

/// Runs a pickle that needs no globals.
void run(const std::string& pickle, const std::function<void(const PickleValue&)>& look = {},
         std::size_t memory_limit = 1 << 20) {
  PickleReader nothing;
  PickleMachine machine(pickle_source(as_bytes(pickle)), nothing, "file.pkl", memory_limit);
  const PickleValue value = machine.run();
  if (look) look(value);
}

TEST(Pickle, BuildsPlainValues) {
  // pickle.dumps({"a": [1, -2, 300, 2.5, None, True, "é"], "b": (1, 2**40)}, protocol=4), with every kind of integer
  const std::string pickle = std::string("\x80\x04\x95") + std::string(8, '\0') + "}\x94(" +
                             "\x8c\x01"
                             "a\x94]\x94(K\x01" +
                             pickled::integer(-2) + "M\x2c\x01G" + big_endian(2.5) + "N\x88\x8c\x02é" +
                             "\x94"
                             "eX\x01" +
                             std::string(3, '\0') + "bK\x01\x8a\x06" + std::string(5, '\0') + "\x01\x86\x94u.";
  run(pickle, [](const PickleValue& root) {
    const PickleNode* dict = node_of(root, PickleKind::dict);
    ASSERT_TRUE(dict);
    ASSERT_EQ(dict->items.size(), 4u);
    EXPECT_EQ(node_of(dict->items[0], PickleKind::text)->text, "a");
    const auto& list = node_of(dict->items[1], PickleKind::list)->items;
    ASSERT_EQ(list.size(), 7u);
    EXPECT_EQ(std::get<std::int64_t>(list[1]), -2);
    EXPECT_EQ(std::get<std::int64_t>(list[2]), 300);
    EXPECT_EQ(std::get<double>(list[3]), 2.5);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(list[4]));
    EXPECT_TRUE(std::get<bool>(list[5]));
    EXPECT_EQ(node_of(list[6], PickleKind::text)->text, "é");
    const auto& tuple = node_of(dict->items[3], PickleKind::tuple)->items;
    EXPECT_EQ(std::get<std::int64_t>(tuple[1]), std::int64_t{1} << 40);
  });
}

TEST(Pickle, ReadsLongIntegersWithTheirSign) {
  for (const auto& [bytes, value] :
       std::map<std::string, std::int64_t>{{std::string("\x8a\x00", 2), 0},
                                           {"\x8a\x01\xff", -1},
                                           {"\x8a\x01\x7f", 127},
                                           {"\x8a\x02\xff\x7f", 32767},
                                           {"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", INT64_MAX},
                                           {"\x8a\x08" + std::string(7, '\0') + "\x80", INT64_MIN}}) {
    run(pickled::file(bytes),
        [&, expected = value](const PickleValue& v) { EXPECT_EQ(std::get<std::int64_t>(v), expected); });
  }
  EXPECT_THAT([] { run(pickled::file("\x8a\x09" + std::string(9, '\1'))); },
              ThrowsMessage<UserError>(HasSubstr("64 bits")));
}

struct BrokenPickle {
  const char* name;
  std::string bytes;
  const char* message;
};

std::vector<BrokenPickle> broken_pickles() {
  using namespace pickled;
  std::string deep = "\x80\x02";
  for (int i = 0; i < 100'000; ++i) deep += "(";
  std::string wide = "\x80\x02]q" + std::string(1, '\0') + "(";
  for (int i = 0; i < 100'000; ++i) wide += std::string("h\0", 2);
  return {
      {"Empty", "", "truncated"},
      {"NoProtocol", "N.", "protocol"},
      {"Protocol1", std::string("\x80\x01N."), "protocol 1"},
      {"Protocol9", std::string("\x80\x09N."), "protocol 9"},
      {"NoStop", std::string("\x80\x02N"), "truncated"},
      {"TwoValues", file("NN"), "open parts"},
      {"NoValue", file(""), "open parts"},
      {"OpenMark", file("N("), "open parts"},
      {"EmptyStack", file("\x85"), "not there"},
      {"PopAcrossAMark", file("N(\x85"), "not there"},
      {"NoMark", file("t"), "never opened"},
      {"OddItems", file("}(NNNu"), "key without a value"},
      {"ItemsOfAList", file("](NNu"), "SETITEMS"},
      {"AppendToADict", file("}Na"), "APPEND"},
      {"ForgottenMemo", file("h\x05"), "never remembered"},
      {"MemoOfNothing", file("q\x01"), "not there"},
      {"LyingTextLength", file("X\xff\xff\xff\x7fshort"), "longer than"},
      {"LyingLength64", file("\x8d\xff\xff\xff\xff\xff\xff\xff\xffshort"), "longer than"},
      {"TruncatedText", "\x80\x02X" + little_endian(1000) + "short", "truncated"},
      {"InvalidUtf8", file(text("\xff\xfe")), "UTF-8"},
      {"DeepMarks", deep, "nested too deeply"},
      {"TooMuchMemory", wide, "memory"},
      {"Os", file(call(global("os", "system"), {text("touch /tmp/sgpt-was-here")})), "\"os.system\""},
      {"OsByStack", std::string("\x80\x04\x8c\x02os\x8c\x06system\x93."), "\"os.system\""},
      {"StackGlobalOfIntegers", std::string("\x80\x04K\x01K\x02\x93."), "two texts"},
      {"OldInst", file("(ios\nsystem\n"), "INST"},
      {"OldObj", file("(" + text("a") + "o"), "OBJ"},
      {"NewObj", file("))\x81"), "NEWOBJ"},
      {"Extension", file("\x82\x01"), "EXT1"},
      {"PersistentText", file("P1\n"), "PERSID"},
      {"Persistent", file("NQ"), "persistent id"},
      {"CallOfAText", file(text("os.system") + ")R"), "REDUCE"},
      {"BuildOnAText", file(text("a") + "}b"), "BUILD"},
      {"UnknownOpcode", file("\xff"), "0xff"},
      {"EndlessName",
       std::string("\x80\x02"
                   "c") +
           std::string(100'000, 'a'),
       "too long"},
  };
}

class BrokenPickles : public ::testing::TestWithParam<BrokenPickle> {};

TEST_P(BrokenPickles, AreRefusedInOneSentenceThatNamesTheByte) {
  EXPECT_THAT([&] { run(GetParam().bytes); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("file.pkl: byte "), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenPickles, ::testing::ValuesIn(broken_pickles()),
                         [](const auto& one_case) { return std::string(one_case.param.name); });

/// Scores by query and passage, handed over an entry at a time.
class ScoreReader final : public PickleReader {
 public:
  bool take(const PickleValue& key, const PickleValue& value) override {
    const PickleNode* passages = node_of(value, PickleKind::dict);
    if (!passages) return false;
    for (std::size_t i = 0; i < passages->items.size(); i += 2) {
      sum += std::get<double>(passages->items[i + 1]);
      ++scores;
    }
    queries.push_back(std::get<std::int64_t>(key));
    return true;
  }
  double sum = 0;
  std::int64_t scores = 0;
  std::vector<std::int64_t> queries;
};

TEST(Pickle, ReadsAnOutermostDictAsAStreamInBoundedMemory) {
  // What pickle.dump writes of {query: {passage: score}}: inner dicts remembered, entries in lots.
  constexpr int kQueries = 2000;
  constexpr int kPassages = 100;
  std::string pickle = "\x80\x04}\x94(";
  for (int query = 0; query < kQueries; ++query) {
    pickle += pickled::integer(query) + "}\x94(";
    for (int passage = 0; passage < kPassages; ++passage) pickle += pickled::integer(passage) + "G" + big_endian(0.5);
    pickle += "u";
    if (query % 100 == 99) pickle += "u(";
  }
  pickle += "u.";
  const auto read = [&](const std::string& bytes, std::size_t limit) {
    ScoreReader reader;
    PickleMachine machine(pickle_source(as_bytes(bytes)), reader, "scores.pkl", limit);
    machine.run();
    return reader;
  };
  const ScoreReader reader = read(pickle, 1'500'000);  // all the values at once would take 6 MB
  EXPECT_EQ(reader.scores, kQueries * kPassages);
  EXPECT_EQ(reader.sum, 0.5 * kQueries * kPassages);
  EXPECT_EQ(reader.queries.size(), static_cast<std::size_t>(kQueries));
  EXPECT_EQ(reader.queries.back(), kQueries - 1);

  const std::string recalls = std::string("\x80\x04}\x94(K\x01}\x94uh\x01") + "0.";
  EXPECT_THAT([&] { read(recalls, 1'000'000); }, ThrowsMessage<UserError>(HasSubstr("read as a stream")));
}

TEST(Pickle, ASourceMayGiveAByteAtATime) {
  const std::string pickle = pickled::file(pickled::dict({{"name", pickled::text("value")}}));
  PickleReader nothing;
  std::size_t next = 0;
  PickleMachine machine(
      [&](std::span<std::byte> target) -> std::size_t {
        if (next == pickle.size()) return 0;
        target[0] = static_cast<std::byte>(pickle[next++]);
        return 1;
      },
      nothing, "file.pkl");
  const PickleValue root = machine.run();
  EXPECT_EQ(node_of(node_of(root, PickleKind::dict)->items[1], PickleKind::text)->text, "value");
}

}  // namespace
}  // namespace sgpt
