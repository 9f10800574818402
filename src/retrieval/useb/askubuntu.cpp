#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>

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

/// A line's columns, of which there must be kColumns; blank lines are skipped.
template <std::size_t kColumns>
std::optional<std::array<std::string_view, kColumns>> next_row(LineReader& lines, std::string_view expected) {
  std::string_view line;
  do {
    if (!lines.next(line)) return std::nullopt;
  } while (strip(valid_utf8(lines, line)).empty());
  const std::vector<std::string_view> fields = tab_fields(line);
  if (fields.size() != kColumns) {
    throw UserError(fmt::format("{}: expected {}, separated by tabs", lines.place(), expected));
  }
  std::array<std::string_view, kColumns> columns;
  std::copy(fields.begin(), fields.end(), columns.begin());
  return columns;
}

std::vector<std::string> between_spaces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  std::vector<std::string> words;
  for (std::size_t begin = text.find_first_not_of(kSpaces); begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpaces, end);
  }
  return words;
}

double number(const std::string& text, const LineReader& lines) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && std::isfinite(value)) return value;
  throw UserError(fmt::format("{}: the BM25 score \"{}\" is no number", lines.place(), text));
}

struct Question {
  std::size_t title;
  std::vector<std::size_t> candidates;  // titles, best by BM25 first
  std::vector<bool> relevant;           // [candidates]
};

/// Of one question.
struct Measures {
  double map;
  double precision_at_1;
  double precision_at_5;
  double mrr;
};

Measures measure(const std::vector<bool>& ranking) {
  constexpr std::size_t kFew = 5;
  double precisions = 0;
  double found = 0;
  double found_in_few = 0;
  double first = 0;
  for (std::size_t rank = 0; rank < ranking.size(); ++rank) {
    if (!ranking[rank]) continue;
    precisions += ++found / static_cast<double>(rank + 1);
    if (rank < kFew) ++found_in_few;
    if (first == 0) first = static_cast<double>(rank + 1);
  }
  return {precisions / found, first == 1 ? 1.0 : 0.0, found_in_few / kFew, 1 / first};
}

class Askubuntu : public UsebTask {
 public:
  Askubuntu(const fs::path& folder, UsebPart part) {
    read_titles(packed_or_plain(folder / "text_tokenized.txt"));
    read_questions(packed_or_plain(folder / (part == UsebPart::test ? "test.txt" : "dev.txt")));
  }

  std::string_view name() const override { return "askubuntu"; }
  std::string_view main_metric() const override { return "map_askubuntu_title"; }
  UsebValues evaluate(const EncoderTeam& team) const override;

 private:
  void read_titles(const fs::path& file);
  void read_questions(const fs::path& file);
  std::size_t title_of(const std::string& id, const LineReader& lines);

  struct Title {
    std::string text;
    std::string place;
  };
  std::unordered_map<std::string, Title> all_;  // by id
  // Those that are needed:
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::string> titles_;
  std::vector<std::string> places_;
  std::vector<Question> questions_;
};

void Askubuntu::read_titles(const fs::path& file) {
  LineReader lines(file);
  while (const auto row = next_row<3>(lines, "an id, a title and a body")) {
    const auto& [id, title, body] = *row;
    all_.insert_or_assign(std::string(strip(id)), Title{std::string(title), lines.place()});
  }
}

std::size_t Askubuntu::title_of(const std::string& id, const LineReader& lines) {
  const auto [known, is_new] = numbers_.try_emplace(id, titles_.size());
  if (!is_new) return known->second;
  const auto found = all_.find(id);
  if (found == all_.end()) {
    throw UserError(fmt::format("{}: the question {} is not in text_tokenized.txt", lines.place(), id));
  }
  titles_.push_back(found->second.text);
  places_.push_back(found->second.place);
  return known->second;
}

void Askubuntu::read_questions(const fs::path& file) {
  LineReader lines(file);
  while (const auto row = next_row<4>(lines, "an id, relevant ids, candidates and their BM25 scores")) {
    const auto& [id, relevant_ids, candidate_ids, score_list] = *row;
    const auto relevant = between_spaces(relevant_ids);
    const auto candidates = between_spaces(candidate_ids);
    const auto score_texts = between_spaces(score_list);
    if (candidates.size() != score_texts.size()) {
      throw UserError(fmt::format("{}: expected a BM25 score for each of the {} candidates, found {}", lines.place(),
                                  candidates.size(), score_texts.size()));
    }
    if (relevant.empty()) continue;
    std::vector<std::pair<double, std::string>> ranked;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      ranked.emplace_back(number(score_texts[i], lines), candidates[i]);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    const std::set<std::string> wanted(relevant.begin(), relevant.end());
    Question question{title_of(std::string(strip(id)), lines), {}, {}};
    for (const auto& [score, candidate] : ranked) {
      question.candidates.push_back(title_of(candidate, lines));
      question.relevant.push_back(wanted.contains(candidate));
    }
    if (std::find(question.relevant.begin(), question.relevant.end(), true) == question.relevant.end()) {
      throw UserError(
          fmt::format("{}: none of the relevant questions of {} is among its candidates", lines.place(), strip(id)));
    }
    questions_.push_back(std::move(question));
  }
  if (questions_.empty()) {
    throw UserError(fmt::format("{}: expected lines of questions with relevant ones, found none", file.string()));
  }
}

UsebValues Askubuntu::evaluate(const EncoderTeam& team) const {
  const Embeddings embeddings = embed_texts(team, "askubuntu", titles_, places_);
  const auto row = [&](std::size_t title) { return embeddings.row(static_cast<std::int64_t>(title)); };
  Measures sums{};
  for (const Question& question : questions_) {
    std::vector<std::pair<float, bool>> ranked;
    for (std::size_t i = 0; i < question.candidates.size(); ++i) {
      ranked.emplace_back(static_cast<float>(cosine(row(question.title), row(question.candidates[i]))),
                          question.relevant[i]);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<bool> ranking;
    for (const auto& [score, relevant] : ranked) ranking.push_back(relevant);
    const Measures own = measure(ranking);
    sums.map += own.map;
    sums.precision_at_1 += own.precision_at_1;
    sums.precision_at_5 += own.precision_at_5;
    sums.mrr += own.mrr;
  }
  const auto count = static_cast<double>(questions_.size());
  return {{"map_askubuntu_title", sums.map / count},
          {"p@1_askubuntu_title", sums.precision_at_1 / count},
          {"p@5_askubuntu_title", sums.precision_at_5 / count},
          {"mrr_askubuntu_title", sums.mrr / count}};
}

}  // namespace

std::unique_ptr<UsebTask> read_askubuntu(const fs::path& folder, UsebPart part) {
  return std::make_unique<Askubuntu>(folder, part);
}

}  // namespace sgpt
