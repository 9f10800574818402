#include "sgpt/encode_call.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class EncodeCalls : public ::testing::Test {
 protected:
  Encoder load(const EncoderOptions& options = {}) const { return Encoder::load(folder_ / "model", options); }
  static std::vector<std::string> texts(int count) {
    std::vector<std::string> result;
    for (int i = 0; i < count; ++i) result.push_back("the thing " + std::to_string(i) + " in the ring");
    return result;
  }

  testing::TempFolder folder_;
  std::filesystem::path model_ = testing::write_tiny_model(folder_ / "model");
  std::vector<std::string> texts_ = texts(20);
};

TEST_F(EncodeCalls, AreWhatAnEncoderOfTheseOptionsGives) {
  const Encoder encoder = load();
  const auto expect = [&](const EncodeCall& call, const EncoderOptions& options) {
    const Embeddings got = encode(encoder, texts_, call), expected = load(options).encode(texts_, call.kind);
    EXPECT_EQ(got.dimension, expected.dimension);
    EXPECT_EQ(got.values, expected.values);
    EXPECT_EQ(got.cut, expected.cut);
  };
  expect({}, {});
  expect({.kind = TextKind::query}, {});
  expect({.max_seq_length = 5}, {.max_seq_length = 5});
  expect({.truncate_dim = 6}, {.truncate_dim = 6});
  expect({.normalize = true}, {.normalize = true});
  expect({.truncate_dim = 6, .normalize = true}, {.normalize = true, .truncate_dim = 6});
  expect({.kind = TextKind::query, .prompt = "find: "}, {.query_prompt = {.text = "find: "}});
  expect({.prompt = "read: ", .max_seq_length = 9}, {.max_seq_length = 9, .document_prompt = {.text = "read: "}});
  EXPECT_EQ(tokenize(encoder, texts_[3], {.prompt = "x ", .max_seq_length = 4}),
            load({.max_seq_length = 4, .document_prompt = {.text = "x "}}).tokenize(texts_[3], TextKind::document));
}

TEST_F(EncodeCalls, RefuseWhatDoesNotFit) {
  const Encoder encoder = load({.brackets = true});
  EXPECT_THAT([&] { encode(encoder, texts_, {.prompt = "find: "}); },
              ThrowsMessage<UserError>(HasSubstr("brackets and prompts do not go together")));
  EXPECT_THAT([&] { encode(encoder, texts_, {.max_seq_length = 2}); },
              ThrowsMessage<UserError>(HasSubstr("at least 3 is needed")));
  EXPECT_THAT([&] { encode(encoder, texts_, {.truncate_dim = 33}); },
              ThrowsMessage<UserError>(HasSubstr("expected 1 to 32")));
}

TEST_F(EncodeCalls, TellHowFarTheyAreAndCanBeEnded) {
  const Encoder encoder = load({.token_budget = 64});
  const std::vector<std::string> many = texts(5000);  // more than are tokenized at once
  std::vector<std::int64_t> told;
  const Embeddings e = encode(encoder, many, {.go_on = [&](std::int64_t done) { return told.push_back(done), true; }});
  EXPECT_EQ(e.values, encoder.encode_documents(many).values);
  EXPECT_EQ(told.front(), 0);
  EXPECT_EQ(told.back(), 5000);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GT(told.size(), 100U);

  std::int64_t last = 0;
  const auto until = [&](std::int64_t done) { return (last = done) < 3000; };
  EXPECT_THAT([&] { encode(encoder, many, {.go_on = until}); }, ThrowsMessage<Stopped>(HasSubstr("of 5000 texts")));
  EXPECT_GE(last, 3000);
  EXPECT_LT(last, 3100);
  EXPECT_THROW(encode(encoder, many, {.go_on = [](std::int64_t) -> bool { throw std::logic_error("mine"); }}),
               std::logic_error);
}

TEST_F(EncodeCalls, NameATextsPlaceAmongAllOfThem) {
  std::vector<std::string> many = texts(4000);
  many[3000] = "\xff";
  EXPECT_THAT([&] { encode(load(), many, {.go_on = [](std::int64_t) { return true; }}); },
              ThrowsMessage<UserError>(HasSubstr("text 3001 of 4000")));
}

}  // namespace
}  // namespace sgpt
