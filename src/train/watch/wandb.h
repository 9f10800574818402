// A run in Weights & Biases (wandb.ai): its Python client runs in a helper process, which is told of every step.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/helper_process.h"
#include "train/observer.h"

namespace sgpt {

/// The text of the helper, in Python; it says which messages there are.
std::string_view wandb_helper();

struct WandbOptions {
  std::vector<std::string> command = {"python3", "-c", std::string(wandb_helper())};
  std::filesystem::path run_folder;  ///< keeps the run's id, for a resumed run to continue it; empty: nowhere
  /// Asked while the start is waited for: when it says true, the helper is ended and nothing will be recorded.
  std::function<bool()> stop = {};
  std::chrono::milliseconds start_patience = std::chrono::minutes(3);   ///< for the import, and for the client's start
  std::chrono::milliseconds finish_patience = std::chrono::minutes(2);  ///< until all is sent, when the run is over
};

/// From the first step on nothing that the helper does, fails to do or leaves undone holds or ends the training.
class Wandb : public TrainObserver {
 public:
  /// Starts the helper. Throws UserError, saying what to do, when Python or the client is not there.
  explicit Wandb(WandbOptions options);
  ~Wandb() override;  ///< waits until the client has sent what it was told, for a while

  /// Waits until the client has begun its run; throws UserError with the client's words when it cannot.
  void on_start(const RunInfo& info) override;
  void on_step(const TrainStep& step) override;
  void on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) override;
  void on_score(std::int64_t step, std::span<const NamedNumber> numbers) override;
  void on_evaluation(std::int64_t step, std::span<const NamedNumber> numbers) override;
  void on_end(const TrainResult& result) override;

 private:
  /// What is asked of the helper, and what its refusal means.
  struct Question {
    std::string_view key;  ///< of the answer
    std::string_view failure;
    std::string_view advice;
  };

  std::optional<std::string> first_words(HelperProcess::Clock::time_point deadline);
  std::optional<std::string> answer_to(const Question& question);
  void tell(const std::string& line);
  void lose(const std::string& last_words);
  void finish();

  WandbOptions options_;
  std::unique_ptr<HelperProcess> helper_;  // null when it did not start, or was not waited for
  bool started_ = false;
  bool lost_ = false;          // it has failed, which was said
  int exit_status_ = 1;        // of the run, for the client
  std::int64_t left_out_ = 0;  // lines that the helper did not take in time
};

}  // namespace sgpt
