// Training on AllNLI and STS benchmark from files to files: the weights that score best are saved, a run that was
// broken off ends with the same files, and ranks train together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "nli_files.h"
#include "retrieval/sts_evaluation.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "temp_folder.h"
#include "thread_ranks.h"
#include "tiny_model.h"
#include "train/dev_selection.h"
#include "train/nli/nli_recipe.h"
#include "train/train.h"
#include "train/trainer.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::on_ranks;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class NliTraining : public ::testing::Test {
 protected:
  NliTraining() {
    options_.model = testing::write_tiny_model(home_.path() / "model");
    testing::write_small_nli(home_.path());
    options_.nli.emplace();
    options_.nli->file = home_ / "AllNLI.tsv";
    options_.nli->sts = home_ / "stsbenchmark.tsv";
    options_.output = home_ / "trained";
    options_.pooling = PoolingMode::weightedmean;
    options_.freeze_non_bias = true;
    options_.max_seq_length = 75;
    options_.batch_size = 4;  // 10 batches
    options_.epochs = 2;
    options_.learning_rate = 5e-2;  // so that the scores go up and down
    options_.threads = 1;
  }

  fs::path dev_csv(const fs::path& output) const { return output / kStsDevCsv; }
  std::string weights(const fs::path& output) const { return content(output / "model.safetensors"); }

  /// The score of a saved model, as the run computed it.
  double dev_score(const fs::path& model) const {
    const Encoder encoder = Encoder::load(model, {.brackets = false, .threads = 1});
    return evaluate_sts(encoder, read_sts(options_.nli->sts, "dev")).main_score();
  }

  testing::TempFolder home_;
  TrainOptions options_;
};

TEST_F(NliTraining, ScoresEveryIntervalAndEpochAndSavesTheBest) {
  options_.nli->evaluation_steps = 4;
  const TrainResult result = train(options_);
  EXPECT_EQ(result.steps, 20);
  EXPECT_EQ(result.examples, 40);
  const std::vector<std::string> rows = lines_of(dev_csv(options_.output));
  std::vector<std::string> places;
  std::vector<double> scores;
  for (const std::string& row : rows) {
    const std::size_t second = row.find(',', row.find(',') + 1);
    places.push_back(row.substr(0, second));
    double best = -1;
    std::size_t at = second;
    for (int column = 0; column < 8 && places.size() > 1; ++column, at = row.find(',', at + 1)) {
      if (column % 2 == 1) best = std::max(best, std::stod(row.substr(at + 1)));
    }
    scores.push_back(best);
  }
  EXPECT_EQ(places, (std::vector<std::string>{"epoch,steps", "0,4", "0,8", "0,-1", "1,12", "1,16", "1,20", "1,-1"}));
  const std::vector<std::int64_t> steps{0, 4, 8, 10, 12, 16, 20, 20};
  const auto best = std::max_element(scores.begin(), scores.end());  // the first of equal ones
  EXPECT_EQ(result.saved_step, steps[static_cast<std::size_t>(best - scores.begin())]);
  ASSERT_NE(result.saved_step, 20) << "the test wants a run whose last weights are not the best";
  EXPECT_EQ(dev_score(options_.output), *best);

  // The weights are those of a run that was stopped there.
  TrainOptions stopped = options_;
  stopped.output = home_ / "stopped";
  stopped.checkpoint_save_steps = result.saved_step;
  train(stopped);
  const fs::path there =
      home_ / "stopped.checkpoints" / ("step-" + std::to_string(result.saved_step)) / "trained.safetensors";
  const Checkpoint saved = Checkpoint::open(options_.output);
  Checkpoint expected = Checkpoint::open(options_.model);
  expected.replace_with(there);
  for (const CheckpointTensor& tensor : saved.tensors()) {
    const auto wanted = expected.find(tensor.name)->bytes;
    EXPECT_TRUE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), wanted.begin(), wanted.end())) << tensor.name;
  }
}

TEST_F(NliTraining, ByDefaultATenthOfAnEpochWarmsUpAndIsAnInterval) {
  options_.epochs = 1;
  options_.batch_size = 1;  // 40 batches
  std::vector<double> rates;
  options_.on_step = [&](const TrainStep& step) { rates.push_back(step.learning_rate); };
  train(options_);
  EXPECT_EQ(lines_of(dev_csv(options_.output)).size(), 1u + 10 + 1);
  EXPECT_NEAR(rates[2] / options_.learning_rate, 0.5, 1e-9);
  EXPECT_EQ(*std::max_element(rates.begin(), rates.end()), rates[4]);
  EXPECT_THAT(content(options_.output / "README.md"),
              AllOf(HasSubstr("without duplicates, of length 40"), HasSubstr("\"evaluation_steps\": 4"),
                    HasSubstr("\"warmup_steps\": 4"), HasSubstr("which scored best on STS benchmark's dev part")));
}

TEST_F(NliTraining, WithoutPairsTheLastWeightsAreSaved) {
  options_.nli->sts.clear();
  const TrainResult result = train(options_);
  EXPECT_EQ(result.saved_step, 20);
  EXPECT_FALSE(fs::exists(dev_csv(options_.output)));
  EXPECT_THAT(content(options_.output / "README.md"), Not(HasSubstr("scored best")));
}

TEST_F(NliTraining, TheSameSeedGivesTheSameFiles) {
  train(options_);
  TrainOptions again = options_;
  again.output = home_ / "again";
  again.grad_cache = false;
  train(again);
  EXPECT_EQ(weights(again.output), weights(options_.output));
  EXPECT_EQ(content(dev_csv(again.output)), content(dev_csv(options_.output)));
  again.output = home_ / "other";
  again.seed = 1;
  train(again);
  EXPECT_NE(weights(again.output), weights(options_.output));
}

TEST_F(NliTraining, ARunThatWasBrokenOffAnywhereEndsWithTheSameFiles) {
  options_.nli->evaluation_steps = 2;
  TrainOptions whole = options_;
  whole.output = home_ / "whole";
  whole.checkpoints = false;
  const std::int64_t best = train(whole).saved_step;
  options_.checkpoint_save_steps = 3;
  // Before the best score, between it and the next checkpoint, and at the end.
  for (const std::int64_t killed_at : {best - 1, best + 1, std::int64_t{20}}) {
    if (killed_at < 1) continue;
    SCOPED_TRACE(killed_at);
    fs::remove_all(options_.output);
    fs::remove_all(home_ / "trained.checkpoints");
    TrainOptions killed = options_;
    killed.on_step = [&](const TrainStep& step) {
      if (step.step + 1 == killed_at) throw std::runtime_error("killed");
    };
    EXPECT_THROW(train(killed), std::runtime_error);
    TrainOptions resumed = options_;
    resumed.resume = true;
    EXPECT_EQ(train(resumed).saved_step, best);
    EXPECT_EQ(weights(options_.output), weights(whole.output));
    EXPECT_EQ(content(dev_csv(options_.output)), content(dev_csv(whole.output)));
  }
}

TEST_F(NliTraining, ARunIsNotContinuedWithOtherPairs) {
  TrainOptions stopped = options_;
  int asked = 0;
  stopped.stop = [&] { return asked++ == 5; };
  train(stopped);
  home_.write("stsbenchmark.tsv", testing::small_sts() + "dev\t2\tone more\tpair\n");
  options_.resume = true;
  try {
    train(options_);
    FAIL() << "it was continued";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("the dev data's checksum"));
  }
}

TEST_F(NliTraining, RanksGoThroughAllExamplesOrShareThem) {
  options_.epochs = 1;
  for (const bool share : {false, true}) {
    SCOPED_TRACE(share);
    options_.nli->share_examples = share;
    std::vector<TrainResult> results(2);
    std::vector<std::string> files;
    for (int time = 0; time < 2; ++time) {
      TrainOptions ours = options_;
      ours.output = home_ / (std::string(share ? "shared" : "each") + std::to_string(time));
      on_ranks(2, [&](Communicator& ranks) { results[static_cast<std::size_t>(ranks.rank())] = train(ours, ranks); });
      files.push_back(weights(ours.output) + content(dev_csv(ours.output)));
    }
    EXPECT_EQ(files[0], files[1]);
    EXPECT_EQ(results[0].steps, share ? 5 : 10);
    EXPECT_EQ(results[1].saved_step, results[0].saved_step);
  }
}

TEST_F(NliTraining, RanksThatShareTrainAsOneWithTheirBatchesTogether) {
  options_.epochs = 1;
  options_.learning_rate = 1e-3;
  options_.nli->share_examples = true;
  std::vector<double> losses;
  TrainOptions one = options_;
  one.output = home_ / "one";
  one.batch_size = 8;
  one.on_step = [&](const TrainStep& step) { losses.push_back(step.loss); };
  train(one);
  std::size_t step = 0;
  options_.on_step = [&](const TrainStep& done) { EXPECT_NEAR(done.loss, losses.at(step++), 1e-4); };
  on_ranks(2, [&](Communicator& ranks) { train(options_, ranks); });
  EXPECT_EQ(step, losses.size());
  EXPECT_NEAR(dev_score(options_.output), dev_score(one.output), 1e-2);
}

TEST_F(NliTraining, SaysWhatIsWrongBeforeItBegins) {
  const auto message = [&] {
    try {
      train(options_);
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  options_.batch_size = 50;
  EXPECT_THAT(message(), AllOf(HasSubstr("AllNLI.tsv: no batch can be filled"), HasSubstr("40 training examples")));
  options_.batch_size = 30;  // 20 names
  EXPECT_THAT(message(), AllOf(HasSubstr("no batch of 30 can be filled"), HasSubstr("after 20 examples")));
  options_.batch_size = 4;
  options_.no_duplicates = true;
  EXPECT_THAT(message(), HasSubstr("--no_duplicates"));
  options_.no_duplicates = false;
  options_.train_data = home_ / "AllNLI.tsv";
  EXPECT_THAT(message(), HasSubstr("--train_data"));
  options_.train_data.clear();
  home_.write("stsbenchmark.tsv", "split\tscore\tsentence1\tsentence2\ntest\t1\ta\tb\ntest\t2\ta\tb\n");
  EXPECT_THAT(message(), HasSubstr("no row has the split \"dev\""));
  EXPECT_FALSE(fs::exists(options_.output));
}

TEST(StsDevOfRanks, ScoresAsAnEncoderDoes) {
  testing::TempFolder home;
  const fs::path file = home.write("sts.tsv", testing::small_sts() + "dev\t0\t\tan empty one\n");
  for (const bool normalize : {false, true}) {
    const ModelFolder folder =
        read_model_folder(testing::write_tiny_model(home.path() / "model", {.normalize = normalize}));
    const auto backend = make_backend("cpu");
    const Checkpoint checkpoint = Checkpoint::open(folder.transformer);
    const TextPreparation preparation(Tokenizer::load(folder.transformer), folder, {.brackets = false});
    Decoder model(*backend, checkpoint, folder.config, trained_parameters({.non_bias = true}));
    const StsDev dev(read_sts(file, "dev"), preparation,
                     {.pooling = PoolingMode::weightedmean, .normalize = normalize});
    const Encoder encoder = Encoder::load(folder.path, {.brackets = false});
    const auto expected = evaluate_sts(encoder, read_sts(file, "dev")).named();
    EXPECT_EQ(dev.evaluate(model, this_process_alone()).named(), expected);
    for (const int size : {2, 3}) {
      on_ranks(size, [&](Communicator& ranks) {
        const auto found = dev.evaluate(model, ranks).named();
        if (ranks.first()) {
          EXPECT_EQ(found, expected);
        }
      });
    }
    fs::remove_all(folder.path);
  }
}

TEST(DevSelection, ALaterEqualScoreChangesNothing) {
  testing::TempFolder home;
  const ModelFolder folder = read_model_folder(testing::write_tiny_model(home.path() / "model"));
  const auto backend = make_backend("cpu");
  const Checkpoint checkpoint = Checkpoint::open(folder.transformer);
  Decoder model(*backend, checkpoint, folder.config, trained_parameters({.non_bias = true}));
  DevSelection selection(model);
  const auto row = [](double score) {
    StsRow result;
    result.result.euclidean.spearman = score;  // the others are 0
    return result;
  };
  float* first = model.trained_values().f32();
  const auto add = [&](std::int64_t step, double score) {
    *first = static_cast<float>(step);
    return selection.add(step, row(score));
  };
  EXPECT_TRUE(add(1, 0.5));
  EXPECT_FALSE(add(2, 0.5));
  EXPECT_TRUE(add(3, 0.75));
  EXPECT_FALSE(add(4, std::nan("")));
  EXPECT_FALSE(add(5, 0.25));
  EXPECT_EQ(selection.best_step(), 3);
  EXPECT_EQ(selection.best_score(), 0.75);
  EXPECT_EQ(selection.rows().size(), 5u);
  selection.restore_best();
  EXPECT_EQ(*first, 3.0f);
}

}  // namespace
}  // namespace sgpt
