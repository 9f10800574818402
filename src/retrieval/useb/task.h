// One of USEB's four data sets (Wang et al., "TSDAE", 2021; github.com/UKPLab/useb), read from its folder under
// data-eval and ready to be evaluated, with the numbers of its package.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encode/encoder_team.h"

namespace sgpt {

enum class UsebPart : std::uint8_t { test, valid };

/// Name and value between 0 and 1 of each metric, in the order of the reference's file.
using UsebValues = std::vector<std::pair<std::string, double>>;

class UsebTask {
 public:
  virtual ~UsebTask() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view main_metric() const = 0;
  /// All texts are embedded as queries: without special brackets, which USEB's models lack, it makes no difference.
  virtual UsebValues evaluate(const EncoderTeam& team) const = 0;
};

// Each throws UserError naming file and place when a file is missing or broken, or what is judged is not there.

/// Questions of the forum, each to find its duplicates among twenty candidates: text_tokenized.txt, test.txt, dev.txt.
std::unique_ptr<UsebTask> read_askubuntu(const std::filesystem::path& folder, UsebPart part);
/// The same among all questions of a forum: corpus.json, retrieval_split.json.
std::unique_ptr<UsebTask> read_cqadupstack(const std::filesystem::path& folder, UsebPart part);
/// Pairs of tweets that say the same or not: Twitter_URL_Corpus_test.txt, test.data, test.label. It has a test part
/// alone.
std::unique_ptr<UsebTask> read_twitterpara(const std::filesystem::path& folder);
/// Papers by their titles, each to find those that it cites and so on among thirty: data.json.
std::unique_ptr<UsebTask> read_scidocs(const std::filesystem::path& folder, UsebPart part);

/// Embeds texts with a report of progress; `places` as in Encoder.
Embeddings embed_texts(const EncoderTeam& team, std::string_view title, std::span<const std::string> texts,
                       std::span<const std::string> places);

/// The area under precision over recall as scikit-learn sums it: equal scores are one threshold. 0 where nothing is
/// relevant.
double average_precision(std::span<const float> scores, const std::vector<bool>& relevant);

double mean_of(std::span<const double> values);

}  // namespace sgpt
