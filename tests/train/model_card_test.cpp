// The model card that training writes, and its evaluation.
#include "train/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DataSetResult result_of(const char* model, const char* data_set, double ndcg_at_10) {
  DataSetResult result{model, data_set, {1, 10}, MetricTable(2)};
  result.values.at(Metric::ndcg, 1) = ndcg_at_10;
  return result;
}

/// The command of the published card.
TrainOptions published_options() {
  TrainOptions options;
  options.output = "out/sgpt-bloom-7b1-msmarco";
  options.command = "mpirun -n 8 sgpt train --model_name bigscience/bloom-7b1 --specb";
  options.batch_size = 32;
  options.brackets = options.freeze_non_bias = options.grad_cache = true;
  options.learning_rate = 4e-4;
  options.chunk_size = 8;
  options.warmup_steps = 1000;
  options.seed = 7;
  options.compute = ComputeType::bf16;
  options.pooling = PoolingMode::weightedmean;
  return options;
}

ModelFolder published_settings() {
  ModelFolder settings;
  settings.config = make_architecture("bloom", {4096, 30, 32, 250880});
  settings.pooling = {PoolingMode::weightedmean};
  settings.max_seq_length = 300;
  return settings;
}

TEST(ModelCard, HasWhatThePublishedOneHas) {
  const TrainOptions options = published_options();
  const ModelFolder settings = published_settings();
  const std::string card = model_card({.options = options, .settings = settings, .batches = 15600, .processes = 8});
  EXPECT_TRUE(card.starts_with("---\npipeline_tag: sentence-similarity\ntags:\n- sentence-transformers\n"));
  EXPECT_THAT(card, HasSubstr("```bash\n" + options.command + "\n```"));
  EXPECT_THAT(card, HasSubstr("The model was trained by sgpt "));
  EXPECT_THAT(
      card,
      HasSubstr("**DataLoader**:\n\nA data loader of length 15600 with parameters:\n```\n{'batch_size': 32, 'sampler': "
                "'random, without replacement', 'no_duplicates': False, 'processes': 8}\n```"));
  EXPECT_THAT(card, HasSubstr("The model uses BitFit, weighted-mean pooling & GradCache, for details see: "
                              "https://arxiv.org/abs/2202.08904"));
  EXPECT_THAT(card, HasSubstr("**Loss**:\n\nMultiple negatives ranking loss (InfoNCE with in-batch negatives)"));
  EXPECT_THAT(card, HasSubstr("{'scale': 20, 'temperature': 0.05, 'similarity_fct': 'cos_sim'}"));
  EXPECT_THAT(card, HasSubstr(R"({
    "epochs": 10,
    "gradcache_chunk_size": 8,
    "max_grad_norm": 1,
    "optimizer": "AdamW",
    "optimizer_params": {
        "lr": 0.0004,
        "betas": [
            0.9,
            0.999
        ],
        "eps": 1e-06
    },
    "precision": "bf16",
    "scheduler": "WarmupLinear",
    "seed": 7,
    "steps_per_epoch": null,
    "trained": "biases",
    "warmup_steps": 1000,
    "weight_decay": 0.01
})"));
  for (const char* untrue : {"torch.utils", "sentence_transformers.losses", "transformers.optimization", "NoneType"}) {
    EXPECT_THAT(card, Not(HasSubstr(untrue)));
  }
  EXPECT_THAT(
      card,
      HasSubstr(
          "SentenceTransformer(\n  (0): Transformer({'max_seq_length': 300, 'do_lower_case': False}) with Transformer "
          "model: BloomModel\n  (1): Pooling({'word_embedding_dimension': 4096, 'pooling_mode_cls_token': False, "
          "'pooling_mode_mean_tokens': False, 'pooling_mode_max_tokens': False, 'pooling_mode_mean_sqrt_len_tokens': "
          "False, 'pooling_mode_weightedmean_tokens': True, 'pooling_mode_lasttoken': False})\n)\n"));
  EXPECT_THAT(card, HasSubstr("@article{muennighoff2022sgpt,"));
  EXPECT_THAT(card, HasSubstr("embed(\"how do bees find their way home\", \"[]\")"));
  EXPECT_THAT(card, HasSubstr("ids(text.strip())[:298]"));
}

TEST(ModelCard, SaysWhatThisRunWas) {
  TrainOptions options = published_options();
  options.output = "out/plain/";
  options.brackets = options.freeze_non_bias = options.grad_cache = options.shuffle = false;
  options.pooling = PoolingMode::mean;
  options.command.clear();
  ModelFolder settings = published_settings();
  settings.normalize = true;
  const std::string card = model_card({.options = options, .settings = settings, .batches = 3});
  EXPECT_THAT(card, HasSubstr("SentenceTransformer(\"plain\")"));
  EXPECT_THAT(card, HasSubstr("{'scale': 20, 'temperature': 0.05,"));
  EXPECT_THAT(card, HasSubstr("'sampler': 'sequential'"));
  EXPECT_THAT(card, HasSubstr("The model uses mean pooling, for"));
  EXPECT_THAT(card, HasSubstr("(2): Normalize()"));
  EXPECT_THAT(card, HasSubstr("\"trained\": \"all parameters\""));
  EXPECT_THAT(card, Not(HasSubstr("BitFit")));
  EXPECT_THAT(card, Not(HasSubstr("GradCache")));
  EXPECT_THAT(card, Not(HasSubstr("square brackets")));
  EXPECT_THAT(card, Not(HasSubstr("trained with the command")));
}

TEST(ModelCard, ResultsAreAddedAndReplaced) {
  const TrainOptions options = published_options();
  const ModelFolder settings = published_settings();
  const std::string card = model_card({.options = options, .settings = settings, .batches = 15600});
  const std::vector first{result_of("m", "scifact", 0.5), result_of("m", "nfcorpus", 0.35748)};
  const std::string once = with_results(card, first, "README.md");
  EXPECT_THAT(once, HasSubstr("\n`{\"ndcgs\": {\"m\": {\"scifact\": {\"NDCG@10\": 0.5}, \"nfcorpus\": {\"NDCG@10\": "
                              "0.35748}}}}`\n"));
  const std::vector second{result_of("m", "scifact", 0.71824)};
  const std::string twice = with_results(once, second, "README.md");
  EXPECT_THAT(twice, HasSubstr("\"scifact\": {\"NDCG@10\": 0.71824}, \"nfcorpus\": {\"NDCG@10\": 0.35748}"));
  EXPECT_EQ(twice.size() - once.size(), std::string("0.71824").size() - std::string("0.5").size());
}

TEST(ModelCard, CardsWithoutAnEvaluationAreRefused) {
  const std::vector results{result_of("m", "scifact", 0.5)};
  for (const char* card :
       {"", "# A model\n", "## Evaluation Results\n\nGood.\n", "## Evaluation Results\n\n## Training\n\n`{}`\n",
        "## Evaluation Results\n\n`{\"ndcgs\": 3}`\n",
        "## Evaluation Results\n\n`{\"ndcgs\": {\"m\": {\"scifact\": "
        "0.5}}}`\n",
        "## Evaluation Results\n\n`{]}`\n", "## Evaluation Results\n\n`{\"ndcgs\""}) {
    EXPECT_THROW(with_results(card, results, "README.md"), UserError) << card;
  }
  const testing::TempFolder temp;
  EXPECT_THROW(check_model_card(temp.path()), UserError);
}

TEST(ModelCard, TheHubsBlobStaysAsItIs) {
  const testing::TempFolder temp;
  const std::string blob = "## Evaluation Results\n\n`{\"ndcgs\": {}}`\n";
  temp.write("blob", blob);
  std::filesystem::create_symlink("blob", temp / "README.md");
  update_model_card(temp.path(), std::vector{result_of("m", "scifact", 0.5)});
  EXPECT_THAT(MappedFile(temp / "README.md").text(), HasSubstr("scifact"));
  EXPECT_EQ(MappedFile(temp / "blob").text(), blob);
}

TEST(ModelCard, TrainingWritesIt) {
  const testing::TempFolder temp;
  TrainOptions options;
  options.model = testing::write_tiny_model(temp.path() / "model", {});
  options.train_data = temp.write("data.jsonl", "{\"query\": \"a\", \"positive\": \"b\", \"negative\": \"c\"}\n");
  options.output = temp / "trained";
  options.command = "sgpt train --model_name model";
  options.epochs = 1;
  train(options);
  std::ifstream in(options.output / "README.md");
  const std::string card{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(card, HasSubstr(options.command));
  EXPECT_THAT(card, HasSubstr("of length 1 with"));
  EXPECT_NO_THROW(check_model_card(options.output));
}

}  // namespace
}  // namespace sgpt
