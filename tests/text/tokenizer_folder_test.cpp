// Special tokens around a text, and what the files beside a tokenizer.json add; the ids are those of `tokenizers` 0.23
// and transformers 5.24.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "sgpt/error.h"
#include "support.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int32_t kEnd = 1;      // </s>
constexpr std::int32_t kNext = 258;   // the first id behind the vocabulary of byte_tokenizer()
constexpr std::int32_t kA = 2 + 'a';  // as all bytes
constexpr std::int32_t kSpace = 2 + ' ';

class TokenizerFolder : public ::testing::Test {
 protected:
  void write(const char* name, const json& content) { std::ofstream(folder_.path() / name) << content; }
  Tokenizer load() {
    write("tokenizer.json", file_);
    return Tokenizer::load(folder_.path());
  }
  std::vector<std::int32_t> ids(std::string_view text) { return load().encode_with_special_tokens(text); }

  testing::TempFolder folder_;
  json file_ = testing::byte_tokenizer();
};

TEST(SpecialTokens, StandAroundAndAreNeverCut) {
  json file = testing::byte_tokenizer();
  file["post_processor"] = testing::around("<unk>", "</s>");
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_THAT(tokenizer.encode_with_special_tokens("aa"), ElementsAre(0, kA, kA, kEnd));
  EXPECT_THAT(tokenizer.encode_with_special_tokens("aa", 3), ElementsAre(0, kA, kEnd));
  EXPECT_THAT(tokenizer.encode_with_special_tokens("aa", 2), ElementsAre(0, kEnd));
  EXPECT_THAT(tokenizer.encode_with_special_tokens(""), ElementsAre(0, kEnd));
  EXPECT_THROW(tokenizer.encode_with_special_tokens("aa", 1), UserError);
  EXPECT_THAT(tokenizer.encode("aa"), ElementsAre(kA, kA));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode_with_special_tokens("a")), "<unk>a</s>");
}

TEST(SpecialTokens, OfBertAndRobertaAndInASequence) {
  json file = testing::byte_tokenizer();
  file["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"</s>", 1}}, {"cls", {"<unk>", 0}}};
  EXPECT_THAT(testing::load(file).encode_with_special_tokens("a"), ElementsAre(0, kA, kEnd));
  file["post_processor"] = {{"type", "Sequence"},
                            {"processors", {{{"type", "ByteLevel"}}, testing::around("", "</s>")}}};
  EXPECT_THAT(testing::load(file).encode_with_special_tokens("a"), ElementsAre(kA, kEnd));
}

TEST(AddedTokens, TakeTheNextFreeIdsInTheOrderOfTheFile) {
  json file = testing::byte_tokenizer();
  json token = file["added_tokens"][1];
  for (const auto& [id, content] : {std::pair{310, "<q>"}, {300, "<r>"}}) {
    token["id"] = id;
    token["content"] = content;
    file["added_tokens"].push_back(token);
  }
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_THAT(tokenizer.encode("<r><q>"), ElementsAre(kNext + 1, kNext));
  EXPECT_EQ(tokenizer.vocab_size(), kNext + 2);
  EXPECT_EQ(tokenizer.decode(std::vector{kNext}), "<q>");
}

TEST_F(TokenizerFolder, TokensOfAddedTokensDecoderAreAddedByTheirOrder) {
  write("tokenizer_config.json",
        {{"added_tokens_decoder",
          {{"400", {{"content", "<b>"}, {"special", true}}}, {"300", {{"content", "<a>"}, {"lstrip", true}}}}}});
  write("added_tokens.json", {{"<c>", 258}});  // not looked at beside a decoder
  EXPECT_THAT(ids("a <a><b>"), ElementsAre(kA, kNext, kNext + 1));
  EXPECT_THAT(load().encode("<c>").size(), 3);
}

TEST_F(TokenizerFolder, FlagsThereReplaceThoseOfTheTokenizer) {
  EXPECT_THAT(ids("a </s>"), ElementsAre(kA, kSpace, kEnd));
  write("tokenizer_config.json",
        {{"added_tokens_decoder", {{"1", {{"content", "</s>"}, {"lstrip", true}, {"special", true}}}}}});
  EXPECT_THAT(ids("a </s>"), ElementsAre(kA, kEnd));
}

TEST_F(TokenizerFolder, OlderFilesNameTokensToo) {
  write("added_tokens.json", {{"<c>", 258}});
  write("special_tokens_map.json", {{"eos_token", "</s>"},
                                    {"pad_token", {{"content", "<p>"}, {"rstrip", true}}},
                                    {"additional_special_tokens", {"<x>"}}});
  EXPECT_THAT(ids("<c><p> <x>"), ElementsAre(kNext, kNext + 1, kNext + 2));
}

TEST_F(TokenizerFolder, SplitSpecialTokensMakesThemText) {
  write("tokenizer_config.json", {{"split_special_tokens", true}});
  EXPECT_EQ(ids("</s>").size(), 4u);
}

TEST_F(TokenizerFolder, BeginAndEndThatOnlyTheConfigurationAsksFor) {
  const json config = {{"add_eos_token", true}, {"add_bos_token", true}, {"bos_token", "<unk>"}, {"eos_token", "</s>"}};
  write("tokenizer_config.json", config);
  EXPECT_THAT(ids("a"), ElementsAre(0, kA, kEnd));
  file_["post_processor"] = testing::around("<unk>", "</s>");
  EXPECT_THAT(ids("a"), ElementsAre(0, kA, kEnd));
  write("tokenizer_config.json", {{"add_eos_token", true}});
  EXPECT_THROW(ids("a"), UserError);
}

TEST_F(TokenizerFolder, TheSideThatIsCut) {
  write("tokenizer_config.json", {{"truncation_side", "left"}});
  EXPECT_THAT(load().encode("ba", 1), ElementsAre(kA));
  write("tokenizer_config.json", json::object());
  file_["truncation"] = {{"direction", "Left"}, {"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}};
  EXPECT_THAT(load().encode("ba", 1), ElementsAre(kA));
}

TEST_F(TokenizerFolder, ThePrefixSpaceOfGpt2IsThatOfTheConfiguration) {
  write("tokenizer_config.json", {{"tokenizer_class", "GPT2Tokenizer"}, {"add_prefix_space", true}});
  EXPECT_THAT(ids("a"), ElementsAre(kSpace, kA));
  write("tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"add_prefix_space", true}});
  EXPECT_THAT(ids("a"), ElementsAre(kA));
}

TEST_F(TokenizerFolder, BrokenFilesAreNamed) {
  std::ofstream(folder_.path() / "tokenizer_config.json") << "{\"split";
  EXPECT_THROW(load(), UserError);
  write("tokenizer_config.json", {{"split_special_tokens", "yes"}});
  EXPECT_THROW(load(), UserError);
  write("tokenizer_config.json", {{"added_tokens_decoder", {{"x", {{"content", "<b>"}}}}}});
  EXPECT_THROW(load(), UserError);
  for (const char* file : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    std::filesystem::remove(folder_.path() / file);
    std::filesystem::create_symlink("gone", folder_.path() / file);
    EXPECT_THROW(load(), UserError) << file << ": a link without its target is no absent file";
    std::filesystem::remove(folder_.path() / file);
  }
  EXPECT_NO_THROW(load());
}

}  // namespace
}  // namespace sgpt
