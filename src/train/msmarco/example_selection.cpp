#include "train/msmarco/example_selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json_lines.h"
#include "base/log.h"
#include "base/progress.h"
#include "sgpt/error.h"
#include "train/example_lines.h"

namespace sgpt {
namespace {

using SystemNegatives = std::vector<JsonLineReader::NamedIntegers>;

class Selection {
 public:
  Selection(const ExampleSources& sources, const MsMarcoOptions& options, ExampleTableWriter& table)
      : sources_(sources),
        options_(options),
        table_(table),
        lines_(sources.folder.hard_negatives()),
        systems_(options.systems) {}

  void run();

 private:
  void take_line();
  std::int64_t read_qid() const;
  void choose_systems(const SystemNegatives& negatives);
  void add_positives(std::int64_t qid, const std::vector<std::int64_t>& pids);
  void add_negatives(std::int64_t qid, const SystemNegatives& negatives);
  std::uint32_t row(std::int64_t qid, std::int64_t pid) const;
  double score(std::int64_t qid, std::int64_t pid) const;
  void check_queries_once();
  void check_systems() const;

  ExampleSources sources_;
  const MsMarcoOptions& options_;
  ExampleTableWriter& table_;
  JsonLineReader lines_;

  std::vector<std::string> systems_;
  std::vector<bool> seen_;  // by system: is in some line
  std::vector<std::string> found_systems_;
  std::vector<std::pair<std::int64_t, std::int64_t>> qids_;  // with their lines

  std::vector<std::uint32_t> positives_;  // rows, of the line at hand
  std::vector<std::uint32_t> negatives_;
  double highest_score_ = 0;  // that a negative may have
  Remarks remarks_;
};

void Selection::run() {
  log::info("selecting negatives by the cross-encoder's scores");
  Progress progress("hard negatives", "queries", 0);
  while (lines_.next()) {
    take_line();
    progress.update(static_cast<std::int64_t>(qids_.size()), fmt::format("{} kept", table_.size()));
  }
  remarks_.warn();
  check_queries_once();
  check_systems();
  if (table_.size() == 0) {
    throw UserError(
        fmt::format("{}: of {} queries none is left: none has a positive and a negative whose score lies {} "
                    "below; see --ce_score_margin",
                    sources_.folder.hard_negatives().string(), qids_.size(), options_.score_margin));
  }
}

void Selection::take_line() {
  const std::int64_t qid = read_qid();
  qids_.emplace_back(qid, lines_.number());
  const std::vector<std::int64_t> positives = lines_.integers("pos");
  const SystemNegatives negatives = lines_.integer_lists("neg");
  if (positives.empty()) return;
  if (systems_.empty()) choose_systems(negatives);
  const auto query = sources_.queries.offset(qid);
  if (!query) {
    throw UserError(fmt::format("{}: query {} is not in {}", lines_.place(), qid,
                                sources_.folder.train_queries().filename().string()));
  }
  add_positives(qid, positives);
  add_negatives(qid, negatives);
  if (!negatives_.empty() || options_.all_queries) table_.add(*query, positives_, negatives_);
}

std::int64_t Selection::read_qid() const {
  const std::string text = lines_.required_string("qid");
  std::int64_t qid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), qid);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw UserError(fmt::format("{}: \"qid\" is \"{}\"; expected a query's number", lines_.place(), text));
  }
  return qid;
}

/// As the reference does: all the systems of the first line with a positive.
void Selection::choose_systems(const SystemNegatives& negatives) {
  for (const auto& system : negatives) systems_.push_back(system.name);
  if (!systems_.empty()) log::info(fmt::format("negatives of these systems: {}", fmt::join(systems_, ", ")));
}

void Selection::add_positives(std::int64_t qid, const std::vector<std::int64_t>& pids) {
  positives_.clear();
  for (const std::int64_t pid : pids) positives_.push_back(row(qid, pid));
  if (!sources_.scores.select(qid)) {
    throw UserError(fmt::format("{}: query {} has no scores in {}", lines_.place(), qid,
                                sources_.folder.scores().filename().string()));
  }
  double lowest = std::numeric_limits<double>::infinity();
  for (const std::int64_t pid : pids) lowest = std::min(lowest, score(qid, pid));
  highest_score_ = lowest - options_.score_margin;
}

void Selection::add_negatives(std::int64_t qid, const SystemNegatives& negatives) {
  negatives_.clear();
  seen_.resize(systems_.size());
  for (std::size_t i = 0; i < systems_.size(); ++i) {
    const auto system = std::find_if(negatives.begin(), negatives.end(),
                                     [&](const auto& candidate) { return candidate.name == systems_[i]; });
    if (system == negatives.end()) continue;
    seen_[i] = true;
    std::int64_t added = 0;
    for (const std::int64_t pid : system->values) {
      const std::uint32_t passage = row(qid, pid);
      if (added == options_.negatives_per_system || score(qid, pid) > highest_score_) continue;
      if (std::find(negatives_.begin(), negatives_.end(), passage) != negatives_.end()) continue;
      if (std::find(positives_.begin(), positives_.end(), passage) != positives_.end()) {
        remarks_.add("a negative is the positive itself: that cannot be learnt", lines_.place());
      }
      negatives_.push_back(passage);
      ++added;
    }
  }
  for (const auto& system : negatives) {
    if (found_systems_.size() < 100 &&
        std::find(found_systems_.begin(), found_systems_.end(), system.name) == found_systems_.end()) {
      found_systems_.push_back(system.name);
    }
  }
}

std::uint32_t Selection::row(std::int64_t qid, std::int64_t pid) const {
  if (const auto row = sources_.collection.row(pid)) return *row;
  throw UserError(fmt::format("{}: query {} names passage {}, which is not in {}", lines_.place(), qid, pid,
                              sources_.folder.collection().filename().string()));
}

double Selection::score(std::int64_t qid, std::int64_t pid) const {
  if (const auto score = sources_.scores.score(pid)) return *score;
  throw UserError(fmt::format("{}: query {} with passage {} has no score in {}", lines_.place(), qid, pid,
                              sources_.folder.scores().filename().string()));
}

void Selection::check_queries_once() {
  std::sort(qids_.begin(), qids_.end());
  const auto twins =
      std::adjacent_find(qids_.begin(), qids_.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twins == qids_.end()) return;
  throw UserError(fmt::format("{}:{}: query {} was there before, on line {}; expected each query once",
                              sources_.folder.hard_negatives().string(), (twins + 1)->second, twins->first,
                              twins->second));
}

void Selection::check_systems() const {
  for (std::size_t i = 0; i < options_.systems.size(); ++i) {
    if (i < seen_.size() && seen_[i]) continue;
    throw UserError(fmt::format("--negs_to_use: {} has no negatives of the system '{}'; there are {}",
                                sources_.folder.hard_negatives().string(), systems_[i],
                                fmt::join(found_systems_, ", ")));
  }
}

}  // namespace

void select_examples(const ExampleSources& sources, const MsMarcoOptions& options, ExampleTableWriter& table) {
  Selection(sources, options, table).run();
}

}  // namespace sgpt
