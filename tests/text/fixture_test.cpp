// Every tokenizer in the fixtures folder: ids and decoded text as `tokenizers` computed them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fixtures.h"
#include "sgpt/tokenizer.h"

namespace sgpt {
namespace {

using nlohmann::json;

json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

/// Of all fixtures, today's included.
std::vector<std::filesystem::path> tokenizer_folders() {
  auto folders = testing::fixtures("tokenizers");
  for (auto& folder : testing::today_fixtures("tokenizers")) folders.push_back(std::move(folder));
  return folders;
}

TEST(TokenizerFixture, IdsAndDecodedTextAreEqual) {
  const auto folders = tokenizer_folders();
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.string());
    const Tokenizer tokenizer = Tokenizer::load(folder / "tokenizer.json");
    const json cases = read_json(folder / "cases.json");
    ASSERT_FALSE(cases.empty());
    for (const json& one : cases) {
      const auto text = one.at("text").get<std::string>();
      const auto expected = one.at("ids").get<std::vector<std::int32_t>>();
      SCOPED_TRACE("text: " + text);
      const auto ids = tokenizer.encode(text);
      ASSERT_EQ(ids, expected);
      ASSERT_EQ(tokenizer.decode(ids), one.at("decoded").get<std::string>());
    }
  }
}

/// Where the fixtures say what stands around: the template's, and what tokenizer_config.json asks for beside it.
TEST(TokenizerFixture, SpecialTokensStandAround) {
  for (const auto& folder : testing::today_fixtures("tokenizers")) {
    SCOPED_TRACE(folder.string());
    const Tokenizer tokenizer = Tokenizer::load(folder);
    for (const json& one : read_json(folder / "cases.json")) {
      const auto text = one.at("text").get<std::string>();
      EXPECT_EQ(tokenizer.encode_with_special_tokens(text),
                one.at("ids_with_template").get<std::vector<std::int32_t>>())
          << text;
    }
    if (!exists(folder / "truncation.json")) continue;
    for (const json& one : read_json(folder / "truncation.json")) {
      const auto text = one.at("text").get<std::string>();
      EXPECT_EQ(tokenizer.encode_with_special_tokens(text, one.at("max_length").get<std::size_t>()),
                one.at("ids_with_template").get<std::vector<std::int32_t>>())
          << text << " cut at " << one.at("max_length");
    }
  }
}

TEST(TokenizerFixture, ACutIsThePrefixOfTheWhole) {
  const auto folders = tokenizer_folders();
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const Tokenizer tokenizer = Tokenizer::load(folder / "tokenizer.json");
    for (const json& one : read_json(folder / "cases.json")) {
      const auto whole = one.at("ids").get<std::vector<std::int32_t>>();
      for (const std::size_t length :
           {std::size_t{0}, std::size_t{1}, std::size_t{2}, whole.size() / 2, whole.size()}) {
        const auto cut = tokenizer.encode(one.at("text").get<std::string>(), length);
        const auto end = whole.begin() + static_cast<std::ptrdiff_t>(std::min(length, whole.size()));
        ASSERT_EQ(cut, std::vector<std::int32_t>(whole.begin(), end)) << one.at("text") << " cut at " << length;
      }
    }
  }
}

}  // namespace
}  // namespace sgpt
