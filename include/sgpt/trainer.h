// Training a bi-encoder: from a causal language model, or a model that already embeds, and pairs of texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sgpt/compute_type.h"
#include "sgpt/pooling.h"

namespace sgpt {

/// What one step did; steps count from 0, under warm-up the first one has learning rate 0.
struct TrainStep {
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  double loss = 0;
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  std::int64_t tokens = 0;
  double tokens_per_second = 0;
};

/// The MS MARCO files, and which mined negatives of a query are trained with.
struct MsMarcoOptions {
  std::filesystem::path folder = "msmarco-data";
  std::vector<std::string> systems = {};  ///< whose negatives, in this order; empty: all
  std::int64_t negatives_per_system = 5;  ///< at most, and not those that an earlier system brought
  double score_margin = 3;                ///< below the lowest cross-encoder score of a positive
  bool all_queries = false;               ///< also queries that no negative is left for
};

/// AllNLI and STS benchmark, as training_nli_v2.py uses them: for models of sentences of one kind.
struct NliOptions {
  std::filesystem::path file;  ///< AllNLI.tsv(.gz)
  /// stsbenchmark.tsv(.gz): its part "dev" is scored during the run, and the weights that score best are saved. Empty:
  /// nothing is scored, and the last weights are saved.
  std::filesystem::path sts;
  std::optional<std::int64_t> evaluation_steps;  ///< between two scores; unset: a tenth of an epoch; 0: its end alone
  /// Several processes share the examples out. Otherwise, as in the reference, each goes through all of them, in a
  /// drawing and an order of its own.
  bool share_examples = false;

  static constexpr std::int64_t kMaxSeqLength = 75;  ///< of the reference …
  static constexpr std::int64_t kEpochs = 1;         ///< … which has no option for these
};

/// Small matrices that are trained beside frozen ones (LoRA, arXiv 2106.09685), as PEFT has them: y = W x + s · B (A
/// x).
struct LoraOptions {
  std::int64_t rank = 8;               ///< r, rows of A
  double alpha = 8;                    ///< s = alpha / rank …
  bool rank_stabilised = false;        ///< … or alpha / √rank
  std::string targets = "all-linear";  ///< ends of module names ("q_proj,v_proj"), or an expression for whole names
};

/// Which distributions are recorded every 100 steps.
enum class WatchLog { none, gradients, parameters, all };

/// The defaults are those of SGPT's train_bi-encoder_mnrl.py. An SGPT model proper wants `pooling` weightedmean,
/// `brackets` and `freeze_non_bias`.
struct TrainOptions {
  std::filesystem::path model;       ///< folder: sentence-transformers, or a plain checkpoint
  std::filesystem::path train_data;  ///< JSONL, or a BEIR folder with qrels/train.tsv; empty: MS MARCO, or NLI
  MsMarcoOptions msmarco;            ///< for an empty train_data
  std::optional<NliOptions> nli;     ///< in its place
  std::filesystem::path output;      ///< new folder, or an empty one

  PoolingMode pooling = PoolingMode::mean;
  bool brackets = false;  ///< `[query]`, `{document}` (`--specb`)
  /// What is put before queries, and before positives and negatives, and saved as the model's prompts; unset: the
  /// model's own, if any.
  std::optional<std::string> query_prompt;
  std::optional<std::string> document_prompt;
  std::int64_t max_seq_length = 300;
  std::int64_t negatives_per_query = 0;     ///< in each step; 0: as many as the example with the fewest has;
                                            ///< MS MARCO: 1
  std::int64_t train_dataset_max_size = 0;  ///< only the first so many examples; 0: all
  bool shuffle = true;
  bool no_duplicates = false;  ///< no text stands twice in a step's batch, where it would be a wrong negative

  std::int64_t batch_size = 64;
  std::int64_t epochs = 10;
  std::int64_t steps_per_epoch = 0;  ///< 0: all batches of the data
  /// Batches of a step: the gradient is the mean of theirs (each query is told apart from its own batch's texts alone).
  std::int64_t gradient_accumulation = 1;
  double learning_rate = 2e-5;
  std::string scheduler = "WarmupLinear";
  std::optional<std::int64_t>
      warmup_steps;  ///< unset: 1000, or a tenth of the steps where that is less; of NLI a tenth
  double weight_decay = 0.01;
  double max_gradient_norm = 1;
  double scale = 20;
  std::uint64_t seed = 0;

  bool freeze = false;                 ///< train nothing …
  bool freeze_non_bias = false;        ///< … but biases (BitFit)
  bool train_word_embeddings = false;  ///< … but the word embedding
  bool train_norms = false;            ///< … but norms

  /// Trained in the place of all that; what is written then is a PEFT adapter in a sentence-transformers folder.
  std::optional<LoraOptions> lora;
  /// The folder of a PEFT adapter of `model`, whose matrices are trained further; `lora` is unset then.
  std::filesystem::path adapter;

  bool grad_cache = false;
  std::int64_t chunk_size = 1;  ///< texts a column in a chunk of GradCache; 0: chosen for batches and memory
  /// Bytes for what is kept of forward passes, so that less is computed again; unset: half of what is free.
  std::optional<std::size_t> activation_memory;

  /// Checkpoints lie in `output`.checkpoints/step-N: one after each epoch, and after every so many steps.
  bool checkpoints = true;
  std::int64_t checkpoint_save_steps = 0;        ///< 0: after each epoch only
  std::int64_t checkpoint_save_total_limit = 0;  ///< older ones are deleted when there are more; 0: all are kept
  bool resume = false;  ///< from the newest whole checkpoint, or from the beginning where there is none

  // What watches the run may refuse it before its first step; what fails later is left out with a warning.
  std::filesystem::path log_file;    ///< JSON lines, one a step; empty: none
  std::filesystem::path run_folder;  ///< for TensorBoard files and what `sgpt report` reads; empty: none
  WatchLog watch_log = WatchLog::none;
  bool wandb = false;   ///< feed the client of Weights & Biases, a Python package, too
  std::string command;  ///< as it was typed, for the run's record and the model card

  /// What matrices are multiplied in, forward and backward: f32, bf16, or automatic, which is bf16 where the weights
  /// have 16 bits and this processor is clearly faster with it. Everything else is f32: the residual stream, LayerNorm,
  /// attention, loss, gradients of parameters, optimiser.
  ComputeType compute = ComputeType::f32;
  std::string backend = "cpu";
  int threads = 0;  ///< 0: all cores

  /// Called after each step, in the thread that trains, before a checkpoint of it is saved.
  std::function<void(const TrainStep&)> on_step;
  /// Asked before the first step and after each: true ends the run, which then saves a checkpoint.
  std::function<bool()> stop;
};

struct TrainResult {
  bool finished = true;       ///< false: stopped as asked; nothing is under `output` yet
  bool was_finished = false;  ///< with `resume`: an earlier call had written `output`; nothing was done, nor is told
  std::int64_t steps = 0;
  std::int64_t resumed_at = 0;  ///< steps of these that earlier calls made; the fields that follow leave them out
  std::int64_t tokens = 0;
  double last_loss = 0;
  double seconds = 0;                   ///< of the steps alone
  std::int64_t examples = 0;            ///< in the data
  std::int64_t trained_parameters = 0;  ///< numbers that were trained
  std::int64_t saved_step = 0;          ///< steps that the saved weights had: all, or those of the best dev score
};

/// Trains and writes a sentence-transformers folder. The same options give the same file, byte for byte, on the same
/// machine. Throws UserError for wrong options and data, before training where it can be seen before, when another run
/// is writing `output`, and when the loss or what is trained stops being a number; MachineError when the machine fails.
/// Nothing is left under `output` then. A run that ended early, in whatever way, goes on from its last checkpoint with
/// `resume`, and ends with the same file.
TrainResult train(const TrainOptions& options);

}  // namespace sgpt
