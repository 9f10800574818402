#include "retrieval/sts_evaluation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "base/output_target.h"
#include "base/unicode.h"
#include "retrieval/correlation.h"
#include "retrieval/tsv_reader.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

double score_of(const std::string& text, const TsvReader& table) {
  const std::string_view digits = strip(text);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc{} && end == digits.data() + digits.size() && std::isfinite(value)) return value;
  throw UserError(fmt::format("{}: the score \"{}\" is no number", table.place(), text));
}

/// What cannot be correlated.
void check(const StsPairs& pairs, const fs::path& file, const std::optional<std::string>& split,
           const std::set<std::string>& splits) {
  if (pairs.scores.empty() && !splits.empty()) {
    throw UserError(fmt::format("{}: no row has the split \"{}\"; there are: {}", file.string(), split.value_or("test"),
                                fmt::join(splits, ", ")));
  }
  if (pairs.scores.size() < 2) {
    throw UserError(fmt::format("{}: a correlation needs at least two pairs of sentences, found {}", file.string(),
                                pairs.scores.size()));
  }
  const auto [least, most] = std::minmax_element(pairs.scores.begin(), pairs.scores.end());
  if (*least == *most) {
    throw UserError(fmt::format("{}: all {} pairs have the score {}, with which nothing can be correlated",
                                file.string(), pairs.scores.size(), *least));
  }
}

/// A number as Python prints it.
std::string as_python(double value) {
  if (std::isnan(value)) return "nan";
  const std::string digits = fmt::format("{}", value);
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

constexpr std::string_view kLineEnd = "\r\n";  // of Python's csv module

std::string csv_line(const StsRow& row) {
  std::string line = fmt::format("{},{}", row.epoch, row.steps);
  for (const auto& [name, value] : row.result.named()) line.append(",").append(as_python(value));
  return line.append(kLineEnd);
}

std::string csv_header() {
  std::string header = "epoch,steps";
  for (const auto& [name, value] : StsResult{}.named()) header += fmt::format(",{}", name);
  return header;
}

/// The rows that are there, with their header.
std::string csv_so_far(const fs::path& csv) {
  const std::string header = csv_header();
  if (files::is_stream(csv) || !files::exists(csv)) return header + std::string(kLineEnd);
  std::string text(MappedFile(csv).text());
  if (text.empty()) return header + std::string(kLineEnd);
  const std::string_view first = std::string_view(text).substr(0, text.find_first_of(kLineEnd));
  if (first != header) {
    throw UserError(fmt::format("{}: a row is to be added to this file: expected the header \"{}\", found \"{}\"",
                                csv.string(), header, first.substr(0, header.size())));
  }
  if (!text.ends_with('\n')) text += kLineEnd;
  return text;
}

}  // namespace

StsPairs read_sts(const fs::path& file, const std::optional<std::string>& split) {
  static const std::vector<std::string> without_header{"genre", "file",      "year",     "id",
                                                       "score", "sentence1", "sentence2"};
  TsvReader table(file, {"score", "sentence1", "sentence2"}, without_header);
  const auto split_column = table.find("split");
  if (split && !split_column) {
    throw UserError(fmt::format("{}: it has no column \"split\" to choose by (--split {})", file.string(), *split));
  }
  StsPairs pairs;
  std::set<std::string> splits;
  while (table.next()) {
    if (split_column) {
      const std::string& own = table.at(*split_column);
      splits.insert(own);
      if (own != split.value_or("test")) continue;
    }
    pairs.scores.push_back(score_of(table.at(table.column("score")), table));
    pairs.first.push_back(table.at(table.column("sentence1")));
    pairs.second.push_back(table.at(table.column("sentence2")));
    pairs.places.push_back(table.place());
  }
  check(pairs, file, split, splits);
  return pairs;
}

std::array<std::pair<std::string_view, double>, 8> StsResult::named() const {
  return {{{"cosine_pearson", cosine.pearson},
           {"cosine_spearman", cosine.spearman},
           {"euclidean_pearson", euclidean.pearson},
           {"euclidean_spearman", euclidean.spearman},
           {"manhattan_pearson", manhattan.pearson},
           {"manhattan_spearman", manhattan.spearman},
           {"dot_pearson", dot.pearson},
           {"dot_spearman", dot.spearman}}};
}

double StsResult::main_score() const {
  double best = -1;
  for (const StsCorrelations* of : {&cosine, &euclidean, &manhattan, &dot}) {
    if (of->spearman > best) best = of->spearman;
  }
  return best;
}

StsResult correlate(const Embeddings& first, const Embeddings& second, std::span<const double> scores) {
  const auto of = [&](const auto& similarity) -> StsCorrelations {
    std::vector<double> similarities;
    for (std::int64_t i = 0; i < first.rows; ++i) similarities.push_back(similarity(first.row(i), second.row(i)));
    return {pearson(similarities, scores), spearman(similarities, scores)};
  };
  return {.cosine = of(cosine),
          .euclidean = of([](auto u, auto v) { return -euclidean_distance(u, v); }),
          .manhattan = of([](auto u, auto v) { return -manhattan_distance(u, v); }),
          .dot = of(dot_product)};
}

StsResult evaluate_sts(const EncoderTeam& team, const StsPairs& pairs, TextKind kind) {
  const Embeddings first = team.encode(pairs.first, kind, pairs.places);
  const Embeddings second = team.encode(pairs.second, kind, pairs.places);
  return correlate(first, second, pairs.scores);
}

std::string sts_csv(std::span<const StsRow> rows) {
  std::string text = csv_header().append(kLineEnd);
  for (const StsRow& row : rows) text += csv_line(row);
  return text;
}

void append_sts_row(const fs::path& csv, const StsRow& row) { write_file(csv, csv_so_far(csv) + csv_line(row)); }

void check_sts_csv(const fs::path& csv) {
  csv_so_far(csv);
  require_writable(csv);
}

}  // namespace sgpt
