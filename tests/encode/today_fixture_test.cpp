// Whole folders of today's decoders against sentence-transformers: which prompt a text gets, its ids, its embedding
// after all modules, shorter embeddings, and pooling without the prompt.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/unicode.h"
#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "expected_tensors.h"
#include "fixtures.h"
#include "model/lora_config.h"
#include "sgpt/encoder.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr float kTolerance = 1e-4f;  // of the largest expected value

using testing::expect_close;
using testing::read_tensors;
using testing::Tensors;

struct Case {
  explicit Case(const json& entry)
      : text(entry.at("text")),
        prompt(entry.at("prompt")),
        custom(entry.at("custom_prompt").get<bool>()),
        ids(entry.at("ids").get<TokenIds>()) {
    const std::string call = entry.at("call");
    kind = call == "encode_query" ? TextKind::query : call == "encode_document" ? TextKind::document : TextKind::plain;
    if (entry.contains("prompt_tokens")) prompt_tokens = entry.at("prompt_tokens").get<std::int64_t>();
  }
  /// sgpt makes line ends spaces, which sentence-transformers leaves to its caller.
  bool has_line_ends() const { return strip(text).find('\n') != std::string_view::npos; }

  std::string text;
  std::string prompt;
  bool custom;
  TokenIds ids;
  TextKind kind;
  std::int64_t prompt_tokens = 0;
};

std::vector<fs::path> whole_folders() {
  std::vector<fs::path> folders = testing::today_fixtures("models");
  std::erase_if(folders, [](const fs::path& folder) { return !fs::exists(folder / "tokenizer.json"); });
  return folders;
}

class TodayFolders : public ::testing::TestWithParam<const char*> {
 protected:
  static Encoder load(const fs::path& folder, const Case& one, EncoderOptions options = {}) {
    options.backend = GetParam();
    options.brackets = false;
    if (one.custom) options.query_prompt.text = options.document_prompt.text = options.plain_prompt.text = one.prompt;
    return Encoder::load(folder, options);
  }
  static std::vector<float> embedding(const Encoder& encoder, const Case& one) {
    const Encoder::Parts& parts = encoder.parts();
    if (!one.has_line_ends()) return encoder.encode(std::vector{one.text}, one.kind).values;
    Arena arena(parts.backend->memory());
    TokenBatch batch;
    batch.add(one.ids, parts.preparation.skipped(one.kind));
    std::vector<float> values(static_cast<std::size_t>(encoder.dimension()));
    parts.embed(batch, arena, Matrix(values.data(), 1, encoder.dimension()));
    return values;
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, TodayFolders, ::testing::Values("reference", "cpu"));

TEST_P(TodayFolders, TextsBecomeTheEmbeddingsOfSentenceTransformers) {
  const std::vector<fs::path> folders = whole_folders();
  if (folders.empty()) GTEST_SKIP() << "no whole folders among the fixtures";
  for (const fs::path& folder : folders) {
    const Tensors expected = read_tensors(folder / "encode_expected.safetensors");
    const json cases = json::parse(std::ifstream(folder / "encode_cases.json"));
    int compared = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(folder.filename().string() + " " + std::to_string(i));
      const Case one(cases[i]);
      const Encoder encoder = load(folder, one);
      EXPECT_EQ(encoder.parts().preparation.prompt(one.kind), one.prompt);
      if (!one.has_line_ends()) {
        EXPECT_EQ(encoder.tokenize(one.text, one.kind), one.ids);
      }
      const bool leaves_out = !encoder.parts().folder.include_prompt && !one.prompt.empty();
      if (leaves_out) {
        EXPECT_EQ(encoder.parts().preparation.skipped(one.kind), one.prompt_tokens);
      }
      const std::vector<float> whole = embedding(encoder, one);
      for (const auto& [name, values] : expected) {
        const std::string number = std::to_string(i) + ".";
        if (!name.starts_with(number)) continue;
        const std::string what = name.substr(number.size());
        const std::string cut = "embedding.truncate_";
        if (what == "embedding") {
          expect_close(whole, values, kTolerance, name);
        } else if (what.starts_with(cut)) {
          const bool normalized = what.ends_with("_normalized");
          const Encoder shorter =
              load(folder, one, {.normalize = normalized, .truncate_dim = std::stoll(what.substr(cut.size()))});
          if (normalized || !encoder.parts().folder.normalize) {
            expect_close(embedding(shorter, one), values, kTolerance, name);
          } else {  // sgpt scales what it cuts: there it is cut by hand
            expect_close(std::span(whole).first(values.size()), values, kTolerance, name);
          }
        } else if (what == "mean.without_prompt" && leaves_out) {
          expect_close(embedding(load(folder, one, {.pooling = {PoolingMode::mean}}), one), values, kTolerance, name);
        } else {
          continue;
        }
        ++compared;
      }
    }
    EXPECT_GE(compared, std::ssize(cases)) << folder;
  }
}

/// An adapter as the model itself, where it is a whole folder, and as one that is added to its base.
TEST_P(TodayFolders, AdaptersGiveTheEmbeddingsOfPeft) {
  const std::vector<fs::path> adapters = testing::today_fixtures("adapters");
  if (adapters.empty()) GTEST_SKIP() << "no adapters among the fixtures";
  for (const fs::path& adapter : adapters) {
    const Tensors expected = read_tensors(adapter / "encode_expected.safetensors");
    const json cases = json::parse(std::ifstream(adapter / "encode_cases.json"));
    const fs::path base = *local_base(adapter);
    const bool whole = fs::exists(adapter / "modules.json");
    for (const bool as_model : {true, false}) {
      if (as_model && !whole) continue;
      for (std::size_t i = 0; i < cases.size(); ++i) {
        SCOPED_TRACE(adapter.filename().string() + " " + std::to_string(i));
        const Case one(cases[i]);
        const Encoder encoder = as_model ? load(adapter, one) : load(base, one, {.adapter = adapter});
        EXPECT_EQ(encoder.parts().preparation.prompt(one.kind), one.prompt);
        if (!one.has_line_ends()) {
          EXPECT_EQ(encoder.tokenize(one.text, one.kind), one.ids);
        }
        const std::string name = std::to_string(i) + ".embedding";
        expect_close(embedding(encoder, one), expected.at(name), kTolerance, name);
      }
    }
  }
}

/// What keeps embeddings must not take those of the base, or of another adapter, for an adapter's.
TEST(AdapterIdentity, IsNotThatOfTheBase) {
  const std::vector<fs::path> adapters = testing::today_fixtures("adapters");
  if (adapters.empty()) GTEST_SKIP() << "no adapters among the fixtures";
  for (const fs::path& adapter : adapters) {
    const fs::path base = *local_base(adapter);
    const Encoder plain = Encoder::load(base), with = Encoder::load(base, {.adapter = adapter});
    EXPECT_NE(model_identity(plain), model_identity(with));
    EXPECT_NE(plain.encode_queries(std::vector<std::string>{"lift"}).values,
              with.encode_queries(std::vector<std::string>{"lift"}).values);
    EXPECT_EQ(with.parts().folder.name, adapter.filename().string());
  }
}

}  // namespace
}  // namespace sgpt
