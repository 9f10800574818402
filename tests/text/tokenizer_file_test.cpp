// Broken and unsupported tokenizer files: one clear sentence that names file and place, and never anything worse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "sgpt/error.h"
#include "support.h"

namespace sgpt {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// What loading complains of; "" when it does not.
std::string complaint(std::string_view content) {
  const testing::TemporaryFile file(content);
  try {
    Tokenizer::load(file.path());
    return "";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr(file.path().string()));
    return error.what();
  }
}

struct BadFile {
  const char* name;
  std::function<void(json&)> breaks;
  const char* says;
};

json split(const json& pattern) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
}

const std::vector<BadFile>& bad_files() {
  static const std::vector<BadFile> files = {
      {"another model", [](json& f) { f["model"]["type"] = "WordPiece"; }, "WordPiece"},
      {"no model", [](json& f) { f.erase("model"); }, "\"model\" is missing"},
      {"model is no object", [](json& f) { f["model"] = 3; }, "expected an object, found 3"},
      {"no vocabulary", [](json& f) { f["model"].erase("vocab"); }, "\"vocab\" is missing"},
      {"vocabulary is a list", [](json& f) { f["model"]["vocab"] = json::array(); }, "model.vocab"},
      {"no merges", [](json& f) { f["model"].erase("merges"); }, "\"merges\" is missing"},
      {"merges are an object", [](json& f) { f["model"]["merges"] = json::object(); }, "model.merges"},
      {"an id that is text", [](json& f) { f["model"]["vocab"]["a"] = "5"; }, "model.vocab.a"},
      {"a negative id", [](json& f) { f["model"]["vocab"]["a"] = -1; }, "model.vocab.a"},
      {"a huge id", [](json& f) { f["model"]["vocab"]["a"] = 1ull << 40; }, "model.vocab.a"},
      {"half an id", [](json& f) { f["model"]["vocab"]["a"] = 1.5; }, "model.vocab.a"},
      {"one id twice", [](json& f) { f["model"]["vocab"]["aa"] = f["model"]["vocab"]["b"]; }, "the same id"},
      {"merge of an unknown token",
       [](json& f) {
         f["model"]["merges"] = json::array({json::array({"a", "漢"})});
       },
       "\"漢\" is not in"},
      {"merge into an unknown token",
       [](json& f) {
         f["model"]["merges"] = json::array({json::array({"a", "b"})});
       },
       "\"ab\" is not in"},
      {"merge of one token", [](json& f) { f["model"]["merges"] = {"ab"}; }, "model.merges[0]"},
      {"merge of three tokens",
       [](json& f) {
         f["model"]["merges"] = {{"a", "b", "c"}};
       },
       "model.merges[0]"},
      {"merge string of three", [](json& f) { f["model"]["merges"] = {"a b c"}; }, "model.merges[0]"},
      {"merge of numbers",
       [](json& f) {
         f["model"]["merges"] = json::array({json::array({1, 2})});
       },
       "model.merges[0]"},
      {"dropout", [](json& f) { f["model"]["dropout"] = 0.1; }, "dropout"},
      {"byte_fallback", [](json& f) { f["model"]["byte_fallback"] = true; }, "byte_fallback"},
      {"subword prefix", [](json& f) { f["model"]["continuing_subword_prefix"] = "##"; }, "continuing_subword_prefix"},
      {"word suffix", [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix"},
      {"unk_token that matters",
       [](json& f) {
         f["model"]["unk_token"] = "<unk>";
         f["model"]["vocab"].erase("a");
       },
       "unk_token"},
      {"a normalizer",
       [](json& f) {
         f["normalizer"] = {{"type", "NFKC"}};
       },
       "NFKC"},
      {"a normalizer in a sequence",
       [](json& f) {
         f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}};
       },
       "Lowercase"},
      {"a normalizer without type", [](json& f) { f["normalizer"] = json::object(); }, "\"type\" is missing"},
      {"another pre-tokenizer",
       [](json& f) {
         f["pre_tokenizer"] = {{"type", "Whitespace"}};
       },
       "Whitespace"},
      {"a Metaspace of two characters",
       [](json& f) {
         f["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "__"}};
       },
       "pre_tokenizer.replacement"},
      {"a Metaspace behind another step",
       [](json& f) {
         f["pre_tokenizer"] = {
             {"type", "Sequence"},
             {"pretokenizers", {split({{"String", " "}}), {{"type", "Metaspace"}, {"replacement", "_"}}}}};
       },
       "behind another"},
      {"an unk_token that is no token",
       [](json& f) {
         f["pre_tokenizer"] = nullptr;
         f["model"]["unk_token"] = "<none>";
       },
       "\"<none>\" is not in the vocabulary"},
      {"a step behind ByteLevel",
       [](json& f) {
         f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {f["pre_tokenizer"], split({{"String", " "}})}}};
       },
       "pretokenizers[1]"},
      {"a malformed pattern",
       [](json& f) {
         f["pre_tokenizer"] = split({{"Regex", "(a"}});
       },
       "pattern"},
      {"no pattern", [](json& f) { f["pre_tokenizer"] = split(json::object()); }, "\"Regex\" is missing"},
      {"an unknown behaviour",
       [](json& f) {
         f["pre_tokenizer"] = split({{"String", " "}});
         f["pre_tokenizer"]["behavior"] = "Sideways";
       },
       "Sideways"},
      {"a flag that is text", [](json& f) { f["pre_tokenizer"]["use_regex"] = "yes"; }, "pre_tokenizer.use_regex"},
      {"another decoder",
       [](json& f) {
         f["decoder"] = {{"type", "WordPiece"}};
       },
       "WordPiece"},
      {"another post-processor",
       [](json& f) {
         f["post_processor"] = {{"type", "FancyProcessing"}};
       },
       "FancyProcessing"},
      {"two post-processors that add tokens",
       [](json& f) {
         f["post_processor"] = {{"type", "Sequence"},
                                {"processors", {testing::around("</s>", ""), testing::around("", "</s>")}}};
       },
       "processors[1]"},
      {"a template without the text",
       [](json& f) {
         f["post_processor"] = testing::around("</s>", "");
         f["post_processor"]["single"].erase(1);
       },
       "without the text"},
      {"a template with an unknown token",
       [](json& f) {
         f["post_processor"] = testing::around("</s>", "");
         f["post_processor"]["special_tokens"]["</s>"]["ids"] = {999};
       },
       "999"},
      {"an unknown key", [](json& f) { f["new_part"] = 1; }, "new_part"},
      {"an unknown option of the model", [](json& f) { f["model"]["new_option"] = false; }, "new_option"},
      {"an unknown option of a pre-tokenizer", [](json& f) { f["pre_tokenizer"]["new_option"] = 1; }, "new_option"},
      {"an unknown flag of an added token", [](json& f) { f["added_tokens"][1]["new_flag"] = true; }, "new_flag"},
      {"an unknown option of a template",
       [](json& f) {
         f["post_processor"] = testing::around("</s>", "");
         f["post_processor"]["new_option"] = 1;
       },
       "new_option"},
      {"another version", [](json& f) { f["version"] = "2.0"; }, "2.0"},
      {"added tokens are an object", [](json& f) { f["added_tokens"] = json::object(); }, "added_tokens"},
      {"an added token without content", [](json& f) { f["added_tokens"][1].erase("content"); }, "added_tokens[1]"},
      {"an empty added token", [](json& f) { f["added_tokens"][1]["content"] = ""; }, "added_tokens[1]"},
      {"an added token's id out of range", [](json& f) { f["added_tokens"][1]["id"] = 1 << 30; }, "added_tokens[1].id"},
      {"an added token's id against the vocabulary", [](json& f) { f["added_tokens"][1]["id"] = 5; },
       "added_tokens[1]"},
      {"an added token on another's id", [](json& f) { f["added_tokens"][1]["content"] = "<new>"; }, "belongs to"},
      {"an added token twice", [](json& f) { f["added_tokens"].push_back(f["added_tokens"][1]); }, "twice"},
      {"the file is a list", [](json& f) { f = json::array({f}); }, "expected an object"},
      {"the file is a number", [](json& f) { f = 5; }, "expected an object"},
  };
  return files;
}

TEST(TokenizerFile, EveryBrokenOrUnsupportedPartIsNamed) {
  for (const BadFile& bad : bad_files()) {
    SCOPED_TRACE(bad.name);
    json file = testing::byte_tokenizer({{"b", "b"}});
    bad.breaks(file);
    EXPECT_THAT(complaint(file.dump()), HasSubstr(bad.says));
  }
}

TEST(TokenizerFile, WhatChangesNothingIsAccepted) {
  json file = testing::byte_tokenizer({{"b", "b"}});
  file["model"]["unk_token"] = "<unk>";
  file["model"]["dropout"] = nullptr;
  file["model"]["continuing_subword_prefix"] = "";
  file["model"].erase("type");
  file["truncation"] = {{"max_length", 5}, {"direction", "Right"}, {"strategy", "LongestFirst"}, {"stride", 0}};
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
  file["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, testing::around("", "")}}};
  file["decoder"] = {{"type", "Sequence"}, {"decoders", {{{"type", "ByteLevel"}}}}};
  EXPECT_EQ(complaint(file.dump()), "");
}

TEST(TokenizerFile, TruncatedAtAnyPlaceIsNoValidJson) {
  const std::string whole = testing::byte_tokenizer({{"b", "b"}}).dump();
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    EXPECT_NE(complaint(whole.substr(0, length)), "") << length;
  }
}

TEST(TokenizerFile, TokensTwiceAreRefused) {
  const std::string whole = testing::byte_tokenizer().dump();
  const std::size_t place = whole.find("\"vocab\":{") + 9;
  EXPECT_THAT(complaint(whole.substr(0, place) + "\"a\":999," + whole.substr(place)), HasSubstr("twice"));
}

TEST(TokenizerFile, AMissingFileAndAFolderAreTheUsersMistake) {
  EXPECT_THROW(Tokenizer::load("/nowhere/tokenizer.json"), UserError);
  EXPECT_THROW(Tokenizer::load(std::filesystem::temp_directory_path()), UserError);
}

TEST(TokenizerFile, DeepNestingIsRefused) {
  EXPECT_NE(complaint(std::string(100000, '[')), "");
  std::string nested = R"({"model": {"vocab": {}, "merges": []}, "normalizer": )";
  for (int i = 0; i < 5000; ++i) nested += R"({"type": "Sequence", "normalizers": [)";
  EXPECT_NE(complaint(nested), "");
}

/// Whatever is flipped, cut out or doubled: the file loads or is refused with a sentence, and what loads can be used.
TEST(TokenizerFile, MutatedFilesNeverDoWorse) {
  json file = testing::byte_tokenizer({{"a", "b"}, {"ab", "c"}});
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {split({{"Regex", " ?\\p{L}+"}}), file["pre_tokenizer"]}}};
  const std::string whole = file.dump();
  Random random(9);
  int loaded = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = whole;
    for (std::uint32_t change = 0; change <= random.below(3); ++change) {
      const std::size_t at = random.below(static_cast<std::uint32_t>(bytes.size()));
      const std::size_t length = random.below(20);
      switch (random.below(3)) {
        case 0: bytes[at] = static_cast<char>(random.below(2) ? 0x20 + random.below(0x5F) : random.below(256)); break;
        case 1: bytes.erase(at, length); break;
        default: bytes.insert(at, bytes.substr(random.below(static_cast<std::uint32_t>(bytes.size())), length));
      }
    }
    const testing::TemporaryFile mutated(bytes);
    try {
      const Tokenizer tokenizer = Tokenizer::load(mutated.path());
      tokenizer.decode(tokenizer.encode("abc </s> abcabc\n漢字's"));
      ++loaded;
    } catch (const UserError&) {
    }
  }
  EXPECT_GT(loaded, 0);
}

}  // namespace
}  // namespace sgpt
