// Prompts, shorter embeddings and similarities as a user asks for them on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/small_training.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PromptCommands : public ::testing::Test {
 protected:
  PromptCommands() {
    write_tiny_model(model_, {.normalize = true});
    configure(R"({"prompts":{"query":"Q: ","sts_query":"S: "}})");
    write_small_corpus(home_ / "data");
  }
  void configure(const std::string& json) { tiny::write(model_ / "config_sentence_transformers.json", json); }

  Outcome encode(const std::string& text, const char* output, std::vector<std::string> more) const {
    more.insert(more.begin(), {"encode", "--model", model_.string(), "--input", home_.write("in.txt", text).string(),
                               "--output", (home_ / output).string()});
    return sgpt(more);
  }
  std::string embedded(const std::string& text, const std::vector<std::string>& more) const {
    const Outcome outcome = encode(text, "out.npy", more);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return text_of(home_ / "out.npy");
  }
  Outcome search(std::vector<std::string> more) const {
    more.insert(more.begin(),
                {"search", "--model", model_.string(), "--corpus", (home_ / "data/corpus.jsonl").string(), "--json"});
    return sgpt(more);
  }

  TempFolder home_;
  fs::path model_ = home_ / "model";
};

TEST_F(PromptCommands, EncodePutsPromptsBeforeTexts) {
  const std::string bare = embedded("Q: the thing\n", {"--document"});
  EXPECT_EQ(embedded(" the thing\n", {"--query"}), bare);
  EXPECT_EQ(embedded("the thing\n", {"--document", "--prompt", "Q: "}), bare);
  EXPECT_EQ(embedded("the thing\n", {"--plain", "--prompt_name", "query"}), bare);
  EXPECT_NE(embedded("the thing\n", {"--query", "--prompt-name", "sts_query"}), bare);
  EXPECT_EQ(embedded("Q: the thing\n", {"--query", "--prompt", ""}), bare);
  EXPECT_EQ(embedded("Q: the thing\n", {"--plain"}), bare);
}

TEST_F(PromptCommands, WrongPromptsAreRefusedWithWhatThereIs) {
  const Outcome unknown = encode("a\n", "out.npy", {"--query", "--prompt_name", "web"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("there are query, sts_query"));
  const Outcome both = encode("a\n", "out.npy", {"--query", "--prompt_name", "query", "--prompt", "x"});
  EXPECT_EQ(both.status, 2);
  const Outcome brackets = encode("a\n", "out.npy", {"--query", "--specb"});
  EXPECT_EQ(brackets.status, 2);
  EXPECT_THAT(brackets.err, HasSubstr("do not go together"));
  const Outcome whose = search({"--prompt", "x", "the"});
  EXPECT_EQ(whose.status, 2);
  EXPECT_THAT(whose.err, HasSubstr("--query_prompt or --document_prompt"));
  const Outcome of_eval =
      sgpt({"eval", "--model", model_.string(), "--data_path", (home_ / "data").string(), "--prompt_name", "query"});
  EXPECT_EQ(of_eval.status, 2);
  EXPECT_THAT(of_eval.err, HasSubstr("--query_prompt or --document_prompt"));
}

TEST_F(PromptCommands, ACacheBelongsToTheDocumentsPromptAlone) {
  const Outcome first = search({"the"});
  ASSERT_EQ(first.status, 0) << first.err;
  const Outcome other_query = search({"--query_prompt", "other: ", "the"});
  EXPECT_EQ(other_query.status, 0);
  EXPECT_THAT(other_query.err, Not(HasSubstr("made anew")));
  EXPECT_NE(other_query.out, first.out);
  EXPECT_THAT(search({"--document_prompt", "D: ", "the"}).err, HasSubstr("made anew"));
  EXPECT_THAT(search({"--document_prompt", "D: ", "the"}).err, Not(HasSubstr("made anew")));
  EXPECT_THAT(search({"--document_prompt", "D: ", "--truncate_dim", "8", "the"}).err, HasSubstr("made anew"));
}

TEST_F(PromptCommands, PromptsThatNoQueryHasAreToldOnce) {
  configure(R"({"prompts":{"web_search_query":"Instruct: ","sts_query":"S: "}})");
  const Outcome outcome = search({"the"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("has prompts (sts_query, web_search_query)"), HasSubstr("--query_prompt_name")));
  EXPECT_THAT(search({"--query_prompt_name", "web_search_query", "the"}).err, Not(HasSubstr("has prompts")));
}

TEST_F(PromptCommands, TheFolderSaysHowEmbeddingsAreCompared) {
  const Outcome cosine = search({"the"});
  EXPECT_THAT(cosine.err, Not(HasSubstr("compared")));
  configure(R"({"prompts":{"query":"Q: "},"similarity_fn_name":"euclidean"})");
  const Outcome euclidean = search({"the"});
  ASSERT_EQ(euclidean.status, 0) << euclidean.err;
  EXPECT_THAT(euclidean.err, HasSubstr("euclidean distance, negated"));
  EXPECT_THAT(euclidean.out, HasSubstr("\"score\": -"));
  const Outcome asked = search({"--similarity", "cosine", "the"});
  EXPECT_EQ(asked.out, cosine.out);
  EXPECT_THAT(asked.err, Not(HasSubstr("compared")));
}

TEST_F(PromptCommands, TokenizeShowsWhatEncodeSees) {
  tiny::write(model_ / "tokenizer_config.json", R"({"eos_token":"</s>","model_max_length":64})");
  const auto tokenized = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"tokenize", "--model", model_.string(), "--input", "-"});
    return sgpt(more, "{\"text\": \" the\\n\"}\n");
  };
  const std::string bare =
      sgpt({"tokenize", "--model", model_.string(), "--input", "-"}, "{\"text\": \"Q: the\"}\n").out;
  EXPECT_EQ(tokenized({"--prompt_name", "query"}).out, bare);
  EXPECT_EQ(tokenized({"--prompt", "Q: "}).out, bare);
  EXPECT_EQ(tokenized({"--prompt", "Q: ", "--append_eos_token"}).out, bare.substr(0, bare.size() - 3) + ", 2]}\n");
  EXPECT_EQ(tokenized({"--prompt", "Q: ", "--append_eos_token", "--max_tokens", "2"}).status, 0);
  EXPECT_EQ(sgpt({"tokenize", "--tokenizer", (model_ / "tokenizer.json").string(), "--input", "-", "--prompt", "x"}, "")
                .status,
            2);
}

TEST_F(PromptCommands, TrainingKeepsItsPromptsAndIsResumedWithThem) {
  const SmallTraining training;
  const std::vector<std::string> more{"--query_prompt", "query: ", "--document_prompt", "passage: ", "--epochs", "1"};
  const Outcome trained = sgpt(training.command("out", more));
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(text_of(training / "out/config_sentence_transformers.json"),
              AllOf(HasSubstr("\"query\": \"query: \""), HasSubstr("\"document\": \"passage: \"")));
  fs::remove_all(training / "out");
  const Outcome other = sgpt(training.command(
      "out", {"--query_prompt", "q: ", "--document_prompt", "passage: ", "--epochs", "1", "--resume"}));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("--query_prompt"));
}

}  // namespace
}  // namespace sgpt::testing
