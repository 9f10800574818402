// Prompts: which one stands before a text, what it is when it is tokenized, and what pooling makes of it.
#include "encode/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

class PromptsTest : public ::testing::Test {
 protected:
  PromptsTest() { testing::write_tiny_model(model_); }

  void configure(const std::string& json) { testing::tiny::write(model_ / "config_sentence_transformers.json", json); }
  /// With an end-of-text token that the tokenizer's template puts behind.
  void put_template() {
    std::ifstream in(model_ / "tokenizer.json");
    std::string json{std::istreambuf_iterator<char>(in), {}};
    const std::string before = R"("post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,)"
                               R"("use_regex":false})";
    const std::size_t at = json.find(before);
    ASSERT_NE(at, json.npos);
    json.replace(at, before.size(),
                 R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
                 R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],)"
                 R"("special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]},)"
                 R"("</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}})");
    testing::tiny::write(model_ / "tokenizer.json", json);
  }
  std::string chosen(TextKind kind, const PromptChoice& choice = {}) {
    return choose_prompt(read_model_folder(model_), kind, choice);
  }
  Encoder load(EncoderOptions options = {}) {
    if (!options.brackets) options.brackets = false;
    return Encoder::load(model_, options);
  }
  /// Hidden states [n, d] of these ids.
  static std::vector<std::vector<float>> hidden(const Encoder& encoder, const TokenIds& ids) {
    const Encoder::Parts& parts = encoder.parts();
    Arena arena(parts.backend->memory());
    TokenBatch batch;
    batch.add(ids);
    const Matrix h = parts.model.forward(parts.backend->place(batch, arena), arena);
    std::vector<std::vector<float>> rows;
    for (std::int64_t row = 0; row < h.rows; ++row) rows.emplace_back(h.f32_row(row), h.f32_row(row) + h.cols);
    return rows;
  }

  testing::TempFolder home_;
  std::filesystem::path model_ = home_ / "model";
};

TEST_F(PromptsTest, AreChosenByTheKindOfText) {
  configure(R"({"prompts":{"query":"Q: ","document":"D: ","passage":"P: ","sts":"S: "}})");
  EXPECT_EQ(chosen(TextKind::query), "Q: ");
  EXPECT_EQ(chosen(TextKind::document), "D: ");
  EXPECT_EQ(chosen(TextKind::plain), "");
  // As sentence-transformers 6.2 does: its folders always have a "query" and a "document".
  configure(R"({"prompts":{"passage":"P: ","sts":"S: "},"default_prompt_name":"sts"})");
  EXPECT_EQ(chosen(TextKind::query), "");
  EXPECT_EQ(chosen(TextKind::document), "");
  EXPECT_EQ(chosen(TextKind::plain), "S: ");
  configure(R"({"prompts":{"document":"","query":null,"sts":"S: "},"default_prompt_name":"sts"})");
  EXPECT_EQ(chosen(TextKind::query), "");  // a prompt "" counts as one
  EXPECT_EQ(chosen(TextKind::document), "");
  EXPECT_EQ(chosen(TextKind::plain), "S: ");
}

TEST_F(PromptsTest, WhatWasGivenWins) {
  configure(R"({"prompts":{"query":"Q: ","sts":"S: "}})");
  EXPECT_EQ(chosen(TextKind::query, {.text = "own "}), "own ");
  EXPECT_EQ(chosen(TextKind::query, {.text = ""}), "");
  EXPECT_EQ(chosen(TextKind::document, {.name = "sts"}), "S: ");
  EXPECT_THAT([&] { chosen(TextKind::query, {.name = "stst"}); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("no prompt of the name \"stst\""),
                                             HasSubstr("there are query, sts"), HasSubstr("did you mean sts"))));
  EXPECT_THAT([&] { chosen(TextKind::query, {.text = "a", .name = "sts"}); },
              ThrowsMessage<UserError>(HasSubstr("one")));
  EXPECT_THAT([&] { chosen(TextKind::query, {.text = "\xff"}); }, ThrowsMessage<UserError>(HasSubstr("UTF-8")));
}

TEST_F(PromptsTest, AModelWhosePromptsAllStayUnusedIsTold) {
  const auto unused = [&](const PromptChoice& choice = {}, TextKind kind = TextKind::query) {
    return unused_prompts(read_model_folder(model_), kind, choice);
  };
  EXPECT_EQ(unused(), "");
  configure(R"({"prompts":{"web_search_query":"Instruct: ","sts_query":"S: ","document":""}})");
  EXPECT_THAT(unused(), AllOf(HasSubstr("sts_query, web_search_query"), HasSubstr("--query_prompt_name"),
                              Not(HasSubstr("document,"))));
  EXPECT_EQ(unused({.name = "sts_query"}), "");
  EXPECT_EQ(unused({.text = ""}), "");
  EXPECT_EQ(unused({}, TextKind::document), "");
  EXPECT_EQ(unused({}, TextKind::plain), "");
  configure(R"({"prompts":{"query":"Q: ","passage":"P: ","sts":"S: "}})");
  EXPECT_THAT(unused({}, TextKind::document), AllOf(HasSubstr("(passage)"), HasSubstr("--document_prompt_name")));
  EXPECT_EQ(unused({.name = "passage"}, TextKind::document), "");
  configure(R"({"prompts":{"query":"","sts_query":"S: "}})");
  EXPECT_EQ(unused(), "");
}

TEST_F(PromptsTest, StandUnchangedBeforeTheStrippedText) {
  configure(R"({"prompts":{"query":"on\n"}})");
  put_template();
  const Encoder encoder = load();
  const Tokenizer& tokenizer = encoder.parts().preparation.tokenizer();
  const auto expected = [&](const std::string& text) { return tokenizer.encode_with_special_tokens(text); };
  EXPECT_EQ(encoder.tokenize("  the\nthing \n", TextKind::query), expected("on\nthe thing"));
  EXPECT_EQ(encoder.tokenize("  the\nthing \n", TextKind::document), expected("the thing"));
  EXPECT_EQ(encoder.tokenize(" ", TextKind::query), expected("on\n"));
  const Encoder merging = load({.query_prompt = {.text = "t"}});
  EXPECT_EQ(merging.tokenize("he", TextKind::query), expected("the"));
}

TEST_F(PromptsTest, PromptAndTextAreCutTogether) {
  put_template();
  const Encoder encoder = load({.max_seq_length = 6, .query_prompt = {.text = "xyz"}});
  const TokenIds ids = encoder.tokenize("abcdef", TextKind::query);
  ASSERT_EQ(ids.size(), 6u);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_EQ(encoder.encode(std::vector<std::string>{"a", "ab"}, TextKind::query).cut, std::vector<std::size_t>{1});
}

TEST_F(PromptsTest, APromptThatLeavesNoRoomIsTold) {
  const Encoder encoder = load({.max_seq_length = 3, .query_prompt = {.text = "xyz"}});
  ::testing::internal::CaptureStderr();
  encoder.encode_queries(std::vector<std::string>{"a"});
  encoder.encode_queries(std::vector<std::string>{"b"});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("the prompt \"xyz\" has 3 tokens of the 3"));
  EXPECT_EQ(said.find("the prompt"), said.rfind("the prompt")) << said;
}

TEST_F(PromptsTest, KeysThatAreNotKnownAreTold) {
  configure(R"({"prompts":{"query":"Q: "},"suffix":"!","model_type":"SentenceTransformer"})");
  const Encoder encoder = load();
  ::testing::internal::CaptureStderr();
  encoder.encode_queries(std::vector<std::string>{"a"});
  encoder.encode_documents(std::vector<std::string>{"a"});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("config_sentence_transformers.json: not known, and ignored: suffix\n"));
  EXPECT_EQ(said.find("suffix"), said.rfind("suffix")) << said;
}

TEST_F(PromptsTest, BracketsAndPromptsRefuseEachOther) {
  EXPECT_THAT([&] { load({.brackets = true, .query_prompt = {.text = "Q: "}}); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("brackets"), HasSubstr("query texts"), HasSubstr("\"Q: \""))));
  EXPECT_NO_THROW(load({.brackets = true, .query_prompt = {.text = ""}}));
  configure(R"({"prompts":{"document":"D: "}})");
  EXPECT_THAT([&] { load({.brackets = true}); }, ThrowsMessage<UserError>(HasSubstr("document texts")));
  EXPECT_NO_THROW(load({.brackets = true, .document_prompt = {.text = ""}}));
  EXPECT_THAT([&] { load({.brackets = true, .document_prompt = {.text = ""}, .append_eos_token = true}); },
              ThrowsMessage<UserError>(HasSubstr("--append_eos_token")));
}

TEST_F(PromptsTest, TheEosTokenIsAppendedWithinTheLengthAndNotTwice) {
  testing::tiny::write(model_ / "tokenizer_config.json", R"({"eos_token":{"content":"</s>"},"model_max_length":64})");
  const Encoder encoder = load({.max_seq_length = 3, .append_eos_token = true});
  const TokenIds ids = encoder.tokenize("abcdef", TextKind::document);
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_EQ(encoder.tokenize("", TextKind::query), TokenIds{2});
  put_template();
  EXPECT_EQ(load({.append_eos_token = true}).tokenize("", TextKind::query), (TokenIds{1, 2}));
  testing::tiny::write(model_ / "tokenizer_config.json", R"({"model_max_length":64})");
  EXPECT_THAT([&] { load({.append_eos_token = true}); }, ThrowsMessage<UserError>(HasSubstr("eos_token")));
}

TEST_F(PromptsTest, PoolingLeavesOutAPromptThatIsNotToBeIncluded) {
  put_template();
  const std::vector<std::string> texts{"the thing", "", std::string(100, 'x')};
  const std::string prompt = "on ";
  for (const char* name : {"mean", "weightedmean", "mean_sqrt_len", "max", "lasttoken", "cls"}) {
    const std::string mode = name;
    testing::tiny::write(model_ / "1_Pooling/config.json", R"({"embedding_dimension":32,"pooling_mode":")" +
                                                               (mode == "mean_sqrt_len" ? mode + "_tokens" : mode) +
                                                               R"(","include_prompt":false})");
    const Encoder encoder = load({.query_prompt = {.text = prompt}});
    // <s> and the prompt alone; its </s> does not count.
    const std::size_t skipped = 1 + encoder.parts().preparation.tokenizer().encode(prompt).size();
    ASSERT_EQ(encoder.parts().preparation.skipped(TextKind::query), static_cast<std::int64_t>(skipped));
    const Embeddings found = encoder.encode_queries(texts);
    for (std::size_t text = 0; text < texts.size(); ++text) {
      const auto h = hidden(encoder, encoder.tokenize(texts[text], TextKind::query));
      for (std::size_t c = 0; c < 32; ++c) {
        double sum = 0, weights = 0, largest = -1e30;
        for (std::size_t i = skipped; i < h.size(); ++i) {
          const double weight = mode == "weightedmean" ? static_cast<double>(i + 1) : 1;
          sum += weight * h[i][c];
          weights += weight;
          largest = std::max<double>(largest, h[i][c]);
        }
        const double expected = mode == "lasttoken"       ? h.back()[c]
                                : mode == "cls"           ? h.front()[c]
                                : mode == "max"           ? largest
                                : mode == "mean_sqrt_len" ? sum / std::sqrt(weights)
                                                          : sum / weights;
        ASSERT_NEAR(found.row(static_cast<std::int64_t>(text))[c], expected, 1e-5) << mode << " " << text;
      }
    }
    EXPECT_EQ(encoder.parts().preparation.skipped(TextKind::document), 0);
  }
  // A prompt that fills the whole length leaves nothing to pool.
  testing::tiny::write(model_ / "1_Pooling/config.json",
                       R"({"embedding_dimension":32,"pooling_mode":"max","include_prompt":false})");
  const Encoder full = load({.max_seq_length = 4, .query_prompt = {.text = std::string(20, 'x')}});
  EXPECT_THAT(full.encode_queries(std::vector<std::string>{"a"}).values, ::testing::Each(0.0f));
}

TEST_F(PromptsTest, BelongToWhatIsKeptOfTheTextsThatTheyStandBefore) {
  const std::string key = embedding_key(load(), TextKind::document);
  EXPECT_THAT(key, Not(HasSubstr("prompt")));  // as it was before there were prompts
  const Encoder with = load({.query_prompt = {.text = "Q: \n"}});
  EXPECT_EQ(embedding_key(with, TextKind::document), key);
  EXPECT_EQ(embedding_key(with, TextKind::query), key + R"( query_prompt="Q: \n")");
  EXPECT_EQ(embedding_options(with), embedding_options(load()) + R"( query_prompt="Q: \n")");
  EXPECT_EQ(embedding_key(load({.truncate_dim = 32}), TextKind::document), key);
  EXPECT_EQ(embedding_key(load({.truncate_dim = 8}), TextKind::document), key + " truncate_dim=8");
}

}  // namespace
}  // namespace sgpt
