// A run in TensorBoard: scalars each step, and distributions.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "train/observer.h"
#include "train/watch/event_file.h"

namespace sgpt {

class TensorBoard : public TrainObserver {
 public:
  /// The folder must be there when the run starts.
  explicit TensorBoard(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void on_start(const RunInfo& info) override {
    if (info.total_steps > 0) file_ = std::make_unique<EventFile>(folder_, info.first_step);
  }
  void on_step(const TrainStep& step) override { file_->add(step.step, scalars_of(step)); }
  void on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) override {
    file_->add(step, histograms);
  }
  void on_score(std::int64_t step, std::span<const NamedNumber> numbers) override { on_evaluation(step, numbers); }
  void on_evaluation(std::int64_t step, std::span<const NamedNumber> numbers) override {
    if (!file_) return;  // nothing was trained: a new file would hide the steps of an older one
    for (const NamedNumber& number : numbers) {
      const std::string tag = "dev/" + std::string(number.name);
      file_->add(step, std::array{Scalar{tag, number.value}});
    }
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<EventFile> file_;
};

}  // namespace sgpt
