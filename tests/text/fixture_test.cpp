// Every tokenizer in the fixtures folder: ids and decoded text as `tokenizers` computed them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
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

TEST(TokenizerFixture, IdsAndDecodedTextAreEqual) {
  const auto folders = testing::fixtures("tokenizers");
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

TEST(TokenizerFixture, ACutIsThePrefixOfTheWhole) {
  const auto folders = testing::fixtures("tokenizers");
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
