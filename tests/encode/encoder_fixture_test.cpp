// Embeddings and hidden states against those of `transformers`, for every model among the fixtures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/unicode.h"
#include "encode/encoder_parts.h"
#include "expected_tensors.h"
#include "fixtures.h"
#include "sgpt/encoder.h"

namespace sgpt {
namespace {

constexpr float kTolerance = 2e-5f;  // of the largest expected value

struct Case {
  std::string text;
  TextKind kind;
  std::vector<std::int32_t> ids;
};

std::vector<Case> read_cases(const std::filesystem::path& folder) {
  std::vector<Case> cases;
  std::ifstream in(folder / "encode_cases.json");
  for (const auto& entry : nlohmann::json::parse(in)) {
    cases.push_back(
        {entry.at("text"), entry.at("is_query").get<bool>() ? TextKind::query : TextKind::document, entry.at("ids")});
  }
  return cases;
}

/// The fixtures' library leaves line ends within a text to its caller; sgpt makes them spaces (docs/formats.md). Of
/// such a text the numbers are compared at the fixture's own ids.
bool has_line_ends(const Case& c) { return strip(c.text).find('\n') != std::string_view::npos; }

std::vector<float> embedding_of(const Encoder& encoder, const Case& c) {
  if (!has_line_ends(c)) return encoder.encode(std::vector{c.text}, c.kind).values;
  const Encoder::Parts& parts = encoder.parts();
  Arena arena(parts.backend->memory());
  TokenBatch batch;
  batch.add(c.ids);
  std::vector<float> values(static_cast<std::size_t>(encoder.dimension()));
  parts.embed(batch, arena, Matrix(values.data(), 1, encoder.dimension()));
  return values;
}

using testing::expect_close;
using testing::read_tensors;
using testing::Tensors;

class EncoderFixture : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (const auto& folder : testing::fixtures("models")) {
      if (exists(folder / "encode_cases.json")) folders_.push_back(folder);
    }
    ASSERT_FALSE(folders_.empty());
  }
  std::vector<std::filesystem::path> folders_;
};
INSTANTIATE_TEST_SUITE_P(Backends, EncoderFixture, ::testing::Values("reference", "cpu"));

TEST_P(EncoderFixture, IdsAreEqual) {
  for (const auto& folder : folders_) {
    const Encoder encoder = Encoder::load(folder, {.brackets = true, .backend = GetParam()});
    for (const Case& c : read_cases(folder)) {
      if (has_line_ends(c)) {
        const std::vector<std::int32_t> within = encoder.parts().preparation.tokenizer().encode(strip(c.text));
        EXPECT_TRUE(std::equal(within.begin(), within.end(), c.ids.begin() + 1, c.ids.end() - 1)) << c.text;
        std::string one_line = c.text;
        std::replace(one_line.begin(), one_line.end(), '\n', ' ');
        EXPECT_EQ(encoder.tokenize(c.text, c.kind), encoder.tokenize(one_line, c.kind)) << c.text;
        continue;
      }
      EXPECT_EQ(encoder.tokenize(c.text, c.kind), c.ids) << folder << ": " << c.text;
    }
  }
}

TEST_P(EncoderFixture, EmbeddingsOfEveryPoolingModeAgree) {
  const std::vector<PoolingMode> modes{PoolingMode::cls,           PoolingMode::max,          PoolingMode::mean,
                                       PoolingMode::mean_sqrt_len, PoolingMode::weightedmean, PoolingMode::lasttoken};
  for (const auto& folder : folders_) {
    const std::vector<Case> cases = read_cases(folder);
    const Tensors expected = read_tensors(folder / "encode_expected.safetensors");
    const Encoder encoder = Encoder::load(folder, {.brackets = true, .pooling = modes, .backend = GetParam()});
    const std::size_t d = static_cast<std::size_t>(encoder.dimension()) / modes.size();
    std::size_t compared = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const std::vector<float> e = embedding_of(encoder, cases[i]);  // the modes, one after the other
      for (std::size_t m = 0; m < modes.size(); ++m) {
        std::string name = std::to_string(i);
        name.append(".").append(name_of(modes[m]));
        const auto found = expected.find(name);
        if (found == expected.end()) continue;
        expect_close(std::span(e).subspan(m * d, d), found->second, kTolerance, folder.string() + ": " + name);
        ++compared;
      }
    }
    EXPECT_GE(compared, cases.size()) << folder;
  }
}

TEST_P(EncoderFixture, AllTextsTogetherAgree) {
  for (const auto& folder : folders_) {
    const std::vector<Case> cases = read_cases(folder);
    const Tensors expected = read_tensors(folder / "encode_expected.safetensors");
    const Encoder encoder = Encoder::load(folder, {.brackets = true, .backend = GetParam()});
    const std::string mode(name_of(encoder.options().pooling.at(0)));
    std::vector<std::string> texts;
    for (const Case& c : cases) texts.push_back(c.text);
    for (const TextKind kind : {TextKind::query, TextKind::document}) {
      const Embeddings e = encoder.encode(texts, kind);
      for (std::size_t i = 0; i < cases.size(); ++i) {
        const auto found = expected.find(std::to_string(i) + "." + mode);
        if (cases[i].kind != kind || found == expected.end() || has_line_ends(cases[i])) continue;
        expect_close(e.row(static_cast<std::int64_t>(i)), found->second, kTolerance,
                     folder.string() + ": " + found->first);
      }
    }
  }
}

TEST_P(EncoderFixture, LastHiddenStatesAgree) {
  const std::string suffix = ".last_hidden_state";
  for (const auto& folder : folders_) {
    const std::vector<Case> cases = read_cases(folder);
    const Tensors tensors = read_tensors(folder / "encode_expected.safetensors");
    const Encoder encoder = Encoder::load(folder, {.brackets = true, .backend = GetParam()});
    const Encoder::Parts& parts = encoder.parts();
    for (const auto& [name, values] : tensors) {
      if (!name.ends_with(suffix)) continue;
      Arena arena(parts.backend->memory());
      TokenBatch batch;
      batch.add(cases.at(std::stoul(name)).ids);
      const Matrix hidden = parts.model.forward(parts.backend->place(batch, arena), arena);
      expect_close({hidden.f32(), static_cast<std::size_t>(hidden.size())}, values, kTolerance,
                   folder.string() + ": " + name);
    }
  }
}

}  // namespace
}  // namespace sgpt
