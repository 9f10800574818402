// A run in TensorBoard: scalars each step, and distributions.
#pragma once

#include <filesystem>
#include <memory>

#include "train/observer.h"
#include "train/watch/event_file.h"

namespace sgpt {

class TensorBoard : public TrainObserver {
 public:
  /// The folder must be there.
  explicit TensorBoard(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void on_start(const RunInfo& info) override { file_ = std::make_unique<EventFile>(folder_, info.first_step); }
  void on_step(const TrainStep& step) override {
    const Scalar scalars[] = {{"train/loss", step.loss},
                              {"train/learning_rate", step.learning_rate},
                              {"train/gradient_norm", step.gradient_norm},
                              {"train/tokens_per_second", step.tokens_per_second}};
    file_->add(step.step, scalars);
  }
  void on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) override {
    file_->add(step, histograms);
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<EventFile> file_;
};

}  // namespace sgpt
