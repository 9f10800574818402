// USEB: four data sets that ask for sentence embeddings of one kind of text and were never trained on (askubuntu,
// cqadupstack, twitterpara, scidocs), evaluated together as the package of that name does.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/useb/task.h"

namespace sgpt {

struct UsebResult {
  struct Task {
    std::string name;
    std::string main_metric;
    UsebValues values;  ///< between 0 and 1, not rounded
    /// The main one in percent, rounded to two places.
    double main_score() const;
  };
  std::vector<Task> tasks;  ///< the four, in the order above

  /// The plain mean of the rounded main scores.
  double average() const;
  /// The reference's results.average_precision.json: {"askubuntu": …, …, "avg": …}.
  std::string average_precision_json() const;
  /// Its results.detailed.json: {"askubuntu": {"map_askubuntu_title": …, …}, …}.
  std::string detailed_json() const;
};

/// The four data sets, read and checked, so that a broken one is told before a model is loaded.
class UsebData {
 public:
  /// `data_eval`: the folder with the four. Throws UserError naming what is missing or broken.
  UsebData(const std::filesystem::path& data_eval, UsebPart part);

  /// Deterministic. NaN where a correlation is none (all pairs alike).
  UsebResult evaluate(const EncoderTeam& team) const;

 private:
  std::vector<std::unique_ptr<UsebTask>> tasks_;
};

}  // namespace sgpt
