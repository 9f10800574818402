#include "retrieval/dev_evaluation.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <fmt/format.h>

#include "base/json_lines.h"
#include "base/log.h"
#include "base/progress.h"
#include "encode/encoder_team.h"
#include "retrieval/chunk_pacer.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFew = 10;
constexpr std::size_t kMany = 100;  // for MAP

struct TsvLine {
  std::string_view id;
  std::string_view text;
};

/// "id ⇥ text", both valid UTF-8.
TsvLine split(std::string_view line, const LineReader& reader) {
  const std::size_t tab = line.find('\t');
  if (tab == line.npos || tab == 0) {
    throw UserError(fmt::format("{}: expected an id, a tab and a text", reader.place()));
  }
  valid_utf8(reader, line);
  return {line.substr(0, tab), line.substr(tab + 1)};
}

/// The four columns of a judgement, split at tabs or spaces.
std::vector<std::string_view> columns(std::string_view line) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; (at = line.find_first_not_of("\t ", at)) != line.npos;) {
    const std::size_t end = std::min(line.find_first_of("\t ", at), line.size());
    parts.push_back(line.substr(at, end - at));
    at = end;
  }
  return parts;
}

RelevantDocuments read_relevant(const fs::path& file) {
  RelevantDocuments relevant;
  LineReader reader(file);
  for (std::string_view line; reader.next(line);) {
    const auto parts = columns(line);
    if (parts.empty()) continue;
    if (parts.size() != 4) {
      throw UserError(
          fmt::format("{}: expected four columns, \"qid 0 pid 1\", found {}", reader.place(), parts.size()));
    }
    if (parts[3] != "0") relevant[std::string(parts[0])].emplace(parts[2]);
  }
  return relevant;
}

struct DevQueries {
  std::vector<std::string> ids;
  std::vector<std::string> texts;
  std::vector<std::string> places;
};

/// The judged queries; `relevant` keeps theirs alone.
DevQueries read_queries(const fs::path& file, RelevantDocuments& relevant) {
  DevQueries queries;
  RelevantDocuments judged;
  LineReader reader(file);
  for (std::string_view line; reader.next(line);) {
    const TsvLine query = split(line, reader);
    const auto found = relevant.find(query.id);
    if (found == relevant.end()) continue;
    if (!judged.insert(*found).second) {
      throw UserError(fmt::format("{}: query {} is there twice", reader.place(), query.id));
    }
    queries.ids.emplace_back(query.id);
    queries.texts.emplace_back(query.text);
    queries.places.push_back(reader.place());
  }
  if (judged.empty()) {
    throw UserError(fmt::format("{}: none of its queries is judged in qrels.dev.tsv", file.string()));
  }
  relevant = std::move(judged);
  return queries;
}

/// Streams the passages that are searched.
class Passages {
 public:
  Passages(const fs::path& file, const RelevantDocuments& relevant, std::int64_t most) : reader_(file), most_(most) {
    for (const auto& [query, documents] : relevant) needed_.insert(documents.begin(), documents.end());
  }

  bool next(std::string& id, std::string& text) {
    for (std::string_view line; reader_.next(line);) {
      const TsvLine passage = split(line, reader_);
      // As the reference counts: a passage joins while there are at most so many.
      if (most_ > 0 && taken_ > most_ && !needed_.contains(passage.id)) continue;
      ++taken_;
      id = passage.id;
      text = passage.text;
      return true;
    }
    return false;
  }
  std::string place() const { return reader_.place(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  LineReader reader_;
  std::unordered_set<std::string, Hash, std::equal_to<>> needed_;
  std::int64_t most_;
  std::int64_t taken_ = 0;
};

std::vector<std::string> search_passages(const EncoderTeam& encoder, Passages& passages, ExactSearch& search) {
  Progress progress("dev evaluation", "passages", 0);
  std::vector<std::string> ids;
  std::vector<std::string> texts;
  std::vector<std::string> places;
  ChunkPacer chunk;
  for (bool more = true; more;) {
    texts.clear();
    places.clear();
    std::string id;
    std::string text;
    while (texts.size() < chunk.size() && (more = passages.next(id, text))) {
      ids.push_back(std::move(id));
      texts.push_back(std::move(text));
      places.push_back(passages.place());
    }
    chunk.begin();
    search.add(encoder.encode_documents(texts, places).values);
    chunk.end();
    progress.update(static_cast<std::int64_t>(ids.size()));
  }
  return ids;
}

/// A relevant passage that the collection lacks can never be found: better said than met as a low value.
void warn_of_missing(const RelevantDocuments& relevant, const std::vector<std::string>& found,
                     const fs::path& collection) {
  std::set<std::string_view> missing;
  for (const auto& [query, documents] : relevant) missing.insert(documents.begin(), documents.end());
  const std::size_t all = missing.size();
  for (const std::string& id : found) missing.erase(id);
  if (missing.empty()) return;
  log::warning(fmt::format("{} of {} relevant passages are not in {}, the first \"{}\"", missing.size(), all,
                           collection.string(), *missing.begin()));
}

/// One query's part of the sums.
void add_query(const std::set<std::string>& relevant, const std::vector<ScoredDocument>& hits, DevMetrics& sums) {
  double found = 0;
  double precisions = 0;
  double gain = 0;
  for (std::size_t rank = 0; rank < std::min(hits.size(), kMany); ++rank) {
    if (!relevant.contains(hits[rank].id)) continue;
    const auto place = static_cast<double>(rank + 1);
    precisions += ++found / place;
    if (rank >= kFew) continue;
    if (found == 1) {
      sums.mrr_at_10 += 1 / place;
      sums.accuracy_at_10 += 1;
    }
    gain += 1 / std::log2(place + 1);
    sums.precision_at_10 += 1.0 / kFew;
    sums.recall_at_10 += 1 / static_cast<double>(relevant.size());
  }
  double ideal = 0;
  for (std::size_t rank = 0; rank < std::min(relevant.size(), kFew); ++rank) {
    ideal += 1 / std::log2(static_cast<double>(rank) + 2);
  }
  sums.ndcg_at_10 += gain / ideal;
  sums.map_at_100 += precisions / static_cast<double>(std::min(relevant.size(), kMany));
}

}  // namespace

std::vector<fs::path> missing_dev_files(const DevFolder& folder) {
  std::vector<fs::path> missing;
  for (const fs::path& file : {folder.queries(), folder.qrels(), folder.collection()}) {
    if (std::error_code none; !fs::is_regular_file(file, none)) missing.push_back(file);
  }
  return missing;
}

std::vector<std::pair<std::string_view, double>> DevMetrics::named() const {
  return {{"MRR@10", mrr_at_10},           {"NDCG@10", ndcg_at_10},           {"MAP@100", map_at_100},
          {"Accuracy@10", accuracy_at_10}, {"Precision@10", precision_at_10}, {"Recall@10", recall_at_10}};
}

DevMetrics dev_metrics(const RelevantDocuments& relevant, const Run& run) {
  DevMetrics means;
  for (const auto& [query, documents] : relevant) {
    std::vector<ScoredDocument> hits;
    if (const auto found = run.find(query); found != run.end()) hits = found->second;
    std::sort(hits.begin(), hits.end(), [](const ScoredDocument& a, const ScoredDocument& b) {
      return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    add_query(documents, hits, means);
  }
  means.queries = static_cast<std::int64_t>(relevant.size());
  for (double* value : {&means.mrr_at_10, &means.ndcg_at_10, &means.map_at_100, &means.accuracy_at_10,
                        &means.precision_at_10, &means.recall_at_10}) {
    *value /= static_cast<double>(relevant.size());
  }
  return means;
}

DevMetrics evaluate_dev(const Encoder& encoder, const DevFolder& folder, std::int64_t corpus_max_size) {
  RelevantDocuments relevant = read_relevant(folder.qrels());
  const DevQueries queries = read_queries(folder.queries(), relevant);
  const EncoderTeam team(encoder);
  ExactSearch search(team.encode_queries(queries.texts, queries.places), {.top_k = kMany,
                                                                          .similarity = Similarity::cosine,
                                                                          .threads = encoder.options().threads,
                                                                          .backend = encoder.options().backend});
  Passages passages(folder.collection(), relevant, corpus_max_size);
  const auto ids = search_passages(team, passages, search);
  warn_of_missing(relevant, ids, folder.collection());
  team.tell_cut_texts();
  const auto hits = search.hits();
  Run run;
  for (std::size_t i = 0; i < queries.ids.size(); ++i) {
    auto& of_query = run[queries.ids[i]];
    for (const Hit& hit : hits[i]) of_query.push_back({ids[static_cast<std::size_t>(hit.document)], hit.score});
  }
  DevMetrics metrics = dev_metrics(relevant, run);
  metrics.passages = static_cast<std::int64_t>(ids.size());
  return metrics;
}

}  // namespace sgpt
