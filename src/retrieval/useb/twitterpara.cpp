#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/json_lines.h"
#include "base/tab_fields.h"
#include "base/unicode.h"
#include "retrieval/correlation.h"
#include "retrieval/useb/task.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// How many people found that two tweets say the same; so many is neither yes nor no.
constexpr int kUndecided = 3;

struct Pairs {
  std::string name;
  std::vector<std::string> first;
  std::vector<std::string> second;
  std::vector<int> labels;
  std::vector<std::string> places;
};

struct Columns {
  std::size_t first;
  std::size_t second;
  std::size_t label;
};

/// "4", or "(4, 6)": four of six.
std::optional<int> label_of(std::string_view text) {
  text = strip(text);
  if (text.starts_with('(')) {
    text = text.substr(1, text.find(',') - 1);
    text = strip(text);
  }
  int label = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return label;
}

Pairs read_pairs(const fs::path& file, std::string_view name, const Columns& columns) {
  Pairs pairs{std::string(name), {}, {}, {}, {}};
  bool yes = false;
  bool no = false;
  LineReader lines(file);
  for (std::string_view line; lines.next(line);) {
    const std::string_view stripped = strip(valid_utf8(lines, line));
    if (stripped.empty()) continue;
    const std::vector<std::string_view> row = tab_fields(stripped);
    if (row.size() <= columns.label) {
      throw UserError(
          fmt::format("{}: expected two sentences in columns {} and {} and a label in column {}, separated "
                      "by tabs, found {} columns",
                      lines.place(), columns.first + 1, columns.second + 1, columns.label + 1, row.size()));
    }
    const auto label = label_of(row[columns.label]);
    if (!label) {
      throw UserError(fmt::format("{}: the label \"{}\" is no whole number", lines.place(), row[columns.label]));
    }
    pairs.first.emplace_back(row[columns.first]);
    pairs.second.emplace_back(row[columns.second]);
    pairs.labels.push_back(*label);
    pairs.places.push_back(lines.place());
    yes = yes || *label > kUndecided;
    no = no || *label < kUndecided;
  }
  if (!yes || !no) {
    throw UserError(fmt::format("{}: expected pairs with labels above and below {}, found {}", file.string(),
                                kUndecided, pairs.labels.empty() ? "no pair" : "none of one side"));
  }
  return pairs;
}

class TwitterPara : public UsebTask {
 public:
  explicit TwitterPara(const fs::path& folder) {
    require_readable(packed_or_plain(folder / "test.label"));  // which is there, and says nothing of use
    data_sets_[0] = read_pairs(packed_or_plain(folder / "Twitter_URL_Corpus_test.txt"), "twitterurl", {0, 1, 2});
    data_sets_[1] = read_pairs(packed_or_plain(folder / "test.data"), "pit", {2, 3, 4});
  }

  std::string_view name() const override { return "twitterpara"; }
  std::string_view main_metric() const override { return "ap_twitter_avg"; }

  UsebValues evaluate(const EncoderTeam& team) const override {
    UsebValues values;
    std::vector<double> precisions;
    std::vector<double> correlations;
    for (const Pairs& pairs : data_sets_) {
      const std::string title = fmt::format("twitterpara {}", pairs.name);
      const Embeddings first = embed_texts(team, title, pairs.first, pairs.places);
      const Embeddings second = embed_texts(team, title, pairs.second, pairs.places);
      std::vector<double> all;
      std::vector<double> labels;
      std::vector<float> decided;
      std::vector<bool> same;
      for (std::size_t i = 0; i < pairs.labels.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        const auto score = static_cast<float>(cosine(first.row(row), second.row(row)));
        all.push_back(static_cast<double>(score));
        labels.push_back(pairs.labels[i]);
        if (pairs.labels[i] == kUndecided) continue;
        decided.push_back(score);
        same.push_back(pairs.labels[i] > kUndecided);
      }
      precisions.push_back(average_precision(decided, same));
      correlations.push_back(spearman(labels, all));
      values.emplace_back("ap_twitter_" + pairs.name, precisions.back());
      values.emplace_back("spearman_twitter_" + pairs.name, correlations.back());
    }
    values.emplace_back("ap_twitter_avg", mean_of(precisions));
    values.emplace_back("spearman_twitter_avg", mean_of(correlations));
    return values;
  }

 private:
  std::array<Pairs, 2> data_sets_;
};

}  // namespace

std::unique_ptr<UsebTask> read_twitterpara(const fs::path& folder) { return std::make_unique<TwitterPara>(folder); }

}  // namespace sgpt
