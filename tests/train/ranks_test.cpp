// Several ranks make the step that one process makes which sees the same candidates. The ranks are threads here;
// tests/cli/ranks_test.cpp has processes.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>

#include "base/communicator.h"
#include "base/random.h"
#include "base/threads.h"
#include "encode/text_preparation.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "thread_ranks.h"
#include "tiny_model.h"
#include "train/batch_order.h"
#include "train/train.h"
#include "train/trainer.h"

namespace sgpt {
namespace {

using testing::on_ranks;
using testing::ThreadCommunicator;

std::vector<TextExample> examples(std::size_t count) {
  std::vector<TextExample> all;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string n = std::to_string(i * 37 % 11);
    all.push_back({"what is number " + n + " and the other",
                   "an answer: " + n + " in the tin",
                   {"on another road with " + std::to_string(i), "the rain " + n + n + n}});
  }
  return all;
}

struct Outcome {
  std::vector<double> losses;
  std::vector<double> norms;
  std::vector<std::int64_t> tokens;
  std::vector<float> gradients;  // of the last step
  std::vector<float> values;     // after it
};

std::vector<float> downloaded(Backend& backend, ConstMatrix device) {
  std::vector<float> host(static_cast<std::size_t>(device.size()));
  backend.download(device, Matrix(host.data(), device.rows, device.cols));
  return host;
}

struct Setting {
  std::filesystem::path model;
  std::string backend = "cpu";
  bool bitfit = true;
  std::int64_t chunk_size = 0;
};

/// Three steps over these rows of every batch.
Outcome three_steps(const Setting& setting, std::span<const TextExample> rows, Communicator& ranks) {
  const ThreadScope one(1);
  const ModelFolder folder = read_model_folder(setting.model);
  const auto backend = make_backend(setting.backend);
  const Checkpoint checkpoint = Checkpoint::open(folder.transformer);
  const TextPreparation preparation(Tokenizer::load(folder.tokenizer_file()), folder, {.brackets = true});
  Decoder model(*backend, checkpoint, folder.config, trained_parameters({.non_bias = setting.bitfit}));
  TrainerOptions options;
  options.pooling = {PoolingMode::weightedmean};
  options.learning_rate = 1e-3;
  options.warmup_steps = 0;
  options.total_steps = 100;
  options.chunk_size = setting.chunk_size;
  Trainer trainer(*backend, model, options, ranks);
  TrainingBatch batch = make_batch(preparation, rows);
  batch.columns.resize(4);  // also of a rank without rows
  Outcome outcome;
  for (int step = 0; step < 3; ++step) {
    const StepResult result = trainer.step(batch);
    outcome.losses.push_back(result.loss);
    outcome.norms.push_back(result.gradient_norm);
    outcome.tokens.push_back(result.tokens);
  }
  outcome.gradients = downloaded(*backend, model.trained_gradients());
  outcome.values = downloaded(*backend, model.trained_values());
  return outcome;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

double largest(const std::vector<float>& values) {
  return largest_difference(values, std::vector<float>(values.size()));
}

/// Deals the rows out as said, and compares every rank with the process that has them all.
void expect_the_step_of_one(const Setting& setting, const std::vector<std::size_t>& rows) {
  const auto all = examples(std::accumulate(rows.begin(), rows.end(), std::size_t{0}));
  const Outcome one = three_steps(setting, all, this_process_alone());
  std::vector<Outcome> outcomes(rows.size());
  on_ranks(static_cast<int>(rows.size()), [&](Communicator& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    const std::size_t first = std::accumulate(rows.begin(), rows.begin() + ranks.rank(), std::size_t{0});
    outcomes[rank] = three_steps(setting, std::span(all).subspan(first, rows[rank]), ranks);
  });
  for (const Outcome& outcome : outcomes) {
    for (std::size_t step = 0; step < 3; ++step) {
      EXPECT_NEAR(outcome.losses[step], one.losses[step], 1e-5);
      EXPECT_NEAR(outcome.norms[step] / one.norms[step], 1, 1e-4);
      EXPECT_EQ(outcome.tokens[step], one.tokens[step]);
    }
    EXPECT_LE(largest_difference(outcome.gradients, one.gradients), 1e-4 * largest(one.gradients));
    EXPECT_EQ(outcome.gradients, outcomes.front().gradients);  // the ranks have the same bits
    EXPECT_EQ(outcome.values, outcomes.front().values);
  }
}

class Ranks : public ::testing::TestWithParam<std::string> {
 protected:
  Ranks() { setting_ = {testing::write_tiny_model(temp_ / "model"), GetParam()}; }

  testing::TempFolder temp_;
  Setting setting_;
};

TEST_P(Ranks, TwoAndThreeMakeTheStepOfOne) {
  expect_the_step_of_one(setting_, {3, 3});
  expect_the_step_of_one(setting_, {2, 2, 2});
}

TEST_P(Ranks, AlsoInChunksAndWithAllParametersTrained) {
  setting_.bitfit = false;
  setting_.chunk_size = 2;
  expect_the_step_of_one(setting_, {3, 3});
}

TEST_P(Ranks, AlsoWithRaggedBatchesAndWithoutOne) {
  expect_the_step_of_one(setting_, {4, 1});
  expect_the_step_of_one(setting_, {3, 0});
  expect_the_step_of_one(setting_, {2, 3, 0});
}

INSTANTIATE_TEST_SUITE_P(Backends, Ranks, ::testing::Values("reference", "cpu"),
                         [](const auto& backend) { return backend.param; });

TEST(BatchOrderOfRanks, BatchIGoesToRankIModW) {
  BatchOrder one(50, {.batch_size = 4, .seed = 3});
  for (const std::int64_t ranks : {2, 3, 8}) {
    std::vector<BatchOrder> orders;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      orders.emplace_back(50, BatchOrder::Options{.batch_size = 4, .seed = 3, .rank = rank, .ranks = ranks});
      EXPECT_EQ(orders.back().batches(), (13 + ranks - 1) / ranks);
    }
    const std::int64_t steps = orders.front().batches();
    for (std::int64_t pass = 0; pass < 2; ++pass) {
      for (std::int64_t i = 0; i < steps * ranks; ++i) {
        const BatchOrder::Batch found = orders[static_cast<std::size_t>(i % ranks)].batch(pass * steps + i / ranks);
        EXPECT_EQ(found.visit, pass);
        if (i >= 13) {
          EXPECT_TRUE(found.examples.empty());
          continue;
        }
        const BatchOrder::Batch expected = one.batch(pass * 13 + i);
        EXPECT_TRUE(std::equal(found.examples.begin(), found.examples.end(), expected.examples.begin(),
                               expected.examples.end()));
      }
    }
  }
}

TEST(EvenShare, CoversEverythingOnce) {
  for (const std::int64_t total : {0, 1, 7, 100}) {
    for (const std::int64_t ranks : {1, 2, 3, 8}) {
      EXPECT_EQ(even_share(total, 0, ranks), 0);
      EXPECT_EQ(even_share(total, ranks, ranks), total);
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const std::int64_t share = even_share(total, rank + 1, ranks) - even_share(total, rank, ranks);
        EXPECT_GE(share, total / ranks);
        EXPECT_LE(share, total / ranks + 1);
      }
    }
  }
}

TEST(AllReduce, SumsOverRanksWithTheSameBitsOnEach) {
  constexpr std::size_t kCount = 1001;
  const auto values_of = [](int rank) {
    Random random(static_cast<std::uint64_t>(rank));
    std::vector<float> values(kCount);
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
  };
  std::vector<std::vector<float>> sums(3);
  on_ranks(3, [&](Communicator& ranks) {
    std::vector<float> values = values_of(ranks.rank());
    ranks.all_reduce_sum(values);
    sums[static_cast<std::size_t>(ranks.rank())] = values;
  });
  EXPECT_EQ(sums[1], sums[0]);
  EXPECT_EQ(sums[2], sums[0]);
  for (std::size_t i = 0; i < kCount; ++i) {
    const double sum = static_cast<double>(values_of(0)[i]) + values_of(1)[i] + values_of(2)[i];
    EXPECT_NEAR(sums[0][i], sum, 1e-6);
  }
}

class TrainOnRanks : public ::testing::Test {
 protected:
  TrainOnRanks() {
    options_.model = testing::write_tiny_model(temp_ / "model");
    std::string lines;
    for (int i = 0; i < 7; ++i) {
      const std::string n = std::to_string(i);
      lines +=
          R"({"query": "what is )" + n + R"(", "positive": "the number )" + n + R"(", "negative": "a thing"})" + "\n";
    }
    options_.train_data = temp_.write("data.jsonl", lines);
    options_.pooling = PoolingMode::weightedmean;
    options_.freeze_non_bias = true;
    options_.batch_size = 2;
    options_.epochs = 2;  // of four batches, the last one with one example
    options_.warmup_steps = 1;
    options_.learning_rate = 1e-2;
    options_.threads = 1;
  }

  std::vector<float> trained(const std::string& name, int ranks, const TrainOptions& options) {
    TrainOptions named = options;
    named.output = temp_ / name;
    if (ranks == 1) {
      train(named);
    } else {
      on_ranks(ranks, [&](Communicator& communicator) { train(named, communicator); });
    }
    return values(named.output);
  }

  static std::vector<float> values(const std::filesystem::path& folder) {
    std::vector<float> all;
    const Checkpoint checkpoint = Checkpoint::open(folder);
    for (const CheckpointTensor& tensor : checkpoint.tensors()) {
      const ConstMatrix matrix = tensor.matrix();
      all.insert(all.end(), matrix.f32(), matrix.f32() + matrix.size());
    }
    return all;
  }

  testing::TempFolder temp_;
  TrainOptions options_;
};

TEST_F(TrainOnRanks, IsTrainingByOneWithTheirBatchesTogether) {
  for (const int ranks : {2, 3}) {
    TrainOptions together = options_;
    together.batch_size = options_.batch_size * ranks;
    const auto expected = trained("one of " + std::to_string(ranks), 1, together);
    const auto found = trained("ranks " + std::to_string(ranks), ranks, options_);
    EXPECT_LE(largest_difference(found, expected), 1e-4);
    EXPECT_GT(largest_difference(found, values(options_.model)), 5e-3);
  }
}

TEST_F(TrainOnRanks, IsResumedWithTheSameBits) {
  const auto expected = trained("whole", 2, options_);
  TrainOptions stopped = options_;
  stopped.output = temp_ / "stopped";
  on_ranks(2, [&](Communicator& ranks) {
    TrainOptions own = stopped;
    int asked = 0;
    own.stop = [&] { return ranks.rank() == 1 && asked++ == 3; };  // the signal reaches one of them
    const TrainResult result = train(own, ranks);
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.steps, 3);
  });
  stopped.resume = true;
  EXPECT_EQ(trained("stopped", 2, stopped), expected);
}

TEST_F(TrainOnRanks, DifferentOptionsAreNamed) {
  options_.output = temp_ / "out";
  std::vector<std::string> messages(2);
  on_ranks(2, [&](Communicator& ranks) {
    TrainOptions own = options_;
    own.seed = static_cast<std::uint64_t>(ranks.rank());
    try {
      train(own, ranks);
    } catch (const UserError& error) {
      messages[static_cast<std::size_t>(ranks.rank())] = error.what();
    }
  });
  EXPECT_NE(messages[0].find("--seed is 0 on rank 0, but 1 on rank 1"), std::string::npos) << messages[0];
  EXPECT_EQ(messages[1], messages[0]);
}

}  // namespace
}  // namespace sgpt
