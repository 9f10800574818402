// Ranks that embed together give the bits of one encoder. The ranks are threads here; tests/cli/ranks_test.cpp has
// processes.
#include "encode/encoder_team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "encode/compute_choice.h"
#include "encode/encode_file.h"
#include "model/convert.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "thread_ranks.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using testing::on_ranks;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Team : public ::testing::Test {
 protected:
  Team() { testing::write_tiny_model(model_); }

  Encoder load(const std::filesystem::path& folder, const EncoderOptions& options = {}) const {
    EncoderOptions own = options;
    own.threads = 1;
    return Encoder::load(folder, own);
  }

  /// What each rank says when rank 1's encoder is another one.
  std::vector<std::string> messages_with(const std::filesystem::path& other_model, const EncoderOptions& other) const {
    std::vector<std::string> messages(2);
    on_ranks(2, [&](Communicator& ranks) {
      const Encoder encoder = ranks.first() ? load(model_) : load(other_model, other);
      try {
        with_team(encoder, ranks, [](const EncoderTeam&) {});
      } catch (const UserError& error) {
        messages[static_cast<std::size_t>(ranks.rank())] = error.what();
      }
    });
    return messages;
  }

  testing::TempFolder home_;
  std::filesystem::path model_ = home_ / "model";
};

TEST_F(Team, EmbedsAsOneEncoderDoes) {
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) texts.push_back("thing " + std::string(static_cast<std::size_t>(i * 7 % 40), 'x'));
  texts[3] = "";
  texts[20] = "  ";
  texts[7] = texts[33] = std::string(100, 'x');  // longer than the model looks at
  const Encoder encoder = load(model_);
  const std::span<const std::string> all(texts);
  for (const int size : {1, 2, 3}) {
    for (const std::size_t count : {50u, 2u, 1u, 0u}) {
      int asked = 0;
      on_ranks(size, [&](Communicator& ranks) {
        const Encoder own = load(model_);
        with_team(own, ranks, [&](const EncoderTeam& team) {
          const auto some = all.first(count);
          const Embeddings documents = team.encode_documents(some);
          EXPECT_EQ(documents.values, encoder.encode_documents(some).values);
          EXPECT_EQ(documents.rows, std::ssize(some));
          EXPECT_EQ(documents.dimension, encoder.dimension());
          EXPECT_EQ(documents.cut, encoder.encode_documents(some).cut);
          EXPECT_EQ(team.encode_queries(some).values, encoder.encode_queries(some).values);
          ++asked;
        });
      });
      EXPECT_EQ(asked, 1);
    }
  }
}

TEST_F(Team, WritesTheFileOfOneAndGoesOnWithAnyNumberOfRanks) {
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += "the thing number " + std::to_string(i * i) + "\n";
  EncodeFileJob job{.input = home_.write("texts.txt", lines), .output = home_ / "one.npy"};
  encode_file(load(model_), job);
  job.output = home_ / "several.npy";
  const auto encode = [&](int size) {
    on_ranks(size, [&](Communicator& ranks) {
      const Encoder encoder = load(model_);
      with_team(encoder, ranks, [&](const EncoderTeam& team) {
        try {
          encode_file(team, job);
        } catch (const std::runtime_error&) {  // on_rows stopped it
        }
      });
    });
  };
  job.on_rows = [](std::int64_t rows) {
    if (rows > 0) throw std::runtime_error("stopped");
  };
  encode(3);
  EXPECT_FALSE(std::filesystem::exists(job.output));
  std::int64_t first = -1;
  job.on_rows = [&](std::int64_t rows) { first = first < 0 ? rows : first; };
  encode(2);
  EXPECT_GT(first, 0);
  EXPECT_EQ(bytes_of(job.output), bytes_of(home_ / "one.npy"));
}

TEST_F(Team, DifferentOptionsAreNamed) {
  const auto messages = messages_with(model_, {.max_seq_length = 9});
  EXPECT_THAT(messages[0], HasSubstr("but rank 1 has brackets=false max_seq_length=9"));
  EXPECT_EQ(messages[1], messages[0]);
}

TEST_F(Team, UnlikeMachinesComputeInOneType) {
  // The reference backend, which computes in f32 alone, stands for the older processor.
  struct Case {
    std::vector<std::string> backends;
    std::vector<ComputeType> chosen;
    ComputeType agreed;
  };
  const std::vector<Case> cases{
      {{"cpu", "cpu"}, {ComputeType::int8, ComputeType::int8}, ComputeType::int8},
      {{"cpu", "reference"}, {ComputeType::int8, ComputeType::f32}, ComputeType::f32},
      {{"reference", "cpu"}, {ComputeType::f32, ComputeType::int8}, ComputeType::f32},
      {{"cpu", "cpu", "cpu"}, {ComputeType::int8, ComputeType::f32, ComputeType::f32}, ComputeType::int8},
      {{"cpu", "cpu", "reference"}, {ComputeType::int8, ComputeType::int8, ComputeType::f32}, ComputeType::f32}};
  for (const Case& unlike : cases) {
    std::vector<ComputeType> found(unlike.backends.size(), ComputeType::automatic);
    on_ranks(static_cast<int>(found.size()), [&](Communicator& ranks) {
      const auto rank = static_cast<std::size_t>(ranks.rank());
      const std::unique_ptr<Backend> backend = make_backend(unlike.backends[rank]);
      found[rank] = agree_on_compute_type(unlike.chosen[rank], *backend, ranks);
    });
    EXPECT_THAT(found, ::testing::Each(unlike.agreed));
  }
}

TEST_F(Team, TheTypeOfAFolderIsTheSameOnAllRanks) {
  const std::filesystem::path halves = home_ / "halves";
  convert_model(model_, halves, {.type = WeightType::bf16});
  const auto found_with = [&](const std::vector<const char*>& backends) {
    std::vector<ComputeType> found(backends.size(), ComputeType::automatic);
    on_ranks(static_cast<int>(found.size()), [&](Communicator& ranks) {
      const auto rank = static_cast<std::size_t>(ranks.rank());
      found[rank] = common_compute_type(
          halves, {.threads = 1, .backend = backends[rank], .compute = ComputeType::automatic}, ranks);
    });
    return found;
  };
  EXPECT_THAT(found_with({"cpu", "reference"}), ::testing::Each(ComputeType::f32));
  EXPECT_THAT(found_with({"reference", "cpu"}), ::testing::Each(ComputeType::f32));
  const auto alike = found_with({"cpu", "cpu"});
  EXPECT_EQ(alike[0], alike[1]);
}

TEST_F(Team, DifferentModelsAreRefused) {
  const std::filesystem::path same_size = testing::write_tiny_model(home_ / "other", {.seed = 2});
  EXPECT_THAT(messages_with(same_size, {}), ::testing::Each(HasSubstr("rank 1 has another model than rank 0")));
  const std::filesystem::path wider = testing::write_tiny_model(home_ / "wider", {.hidden = 64});
  EXPECT_THAT(messages_with(wider, {}), ::testing::Each(HasSubstr("rank 1 has another model than rank 0")));
}

}  // namespace
}  // namespace sgpt
