#include "retrieval/data_sets.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "retrieval/qrels.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 12> kForums{"android",     "english", "gaming",      "gis",
                                                   "mathematica", "physics", "programmers", "stats",
                                                   "tex",         "unix",    "webmasters",  "wordpress"};

bool has_corpus(const fs::path& folder) { return files::exists(DataSetFolder{folder}.corpus()); }

/// "cqadupstack/english" is cqadupstack_english in result files.
std::string without_slashes(std::string name) {
  while (name.ends_with('/')) name.pop_back();
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

std::vector<NamedDataSet> forums_in(const fs::path& folder, const std::string& name) {
  std::vector<NamedDataSet> forums;
  for (const auto forum : kForums) {
    if (has_corpus(folder / forum)) forums.push_back({fmt::format("{}_{}", name, forum), {folder / forum}});
  }
  return forums;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : files::entries(folder)) names.push_back(entry.filename().string());
  return names;
}

/// Sub-folders that are data sets, cqadupstack's folder of forums included.
std::vector<std::string> data_sets_in(const fs::path& folder) {
  std::vector<std::string> names = names_in(folder);
  std::erase_if(names, [&](const std::string& name) {
    return !has_corpus(folder / name) && !has_corpus(folder / name / kForums.front());
  });
  return names;
}

[[noreturn]] void missing_forums(const fs::path& folder) {
  std::vector<std::string> missing;
  for (const auto forum : kForums) {
    if (!has_corpus(folder / forum)) missing.emplace_back(forum);
  }
  throw UserError(fmt::format("{}: the mean over the forums of cqadupstack needs all twelve; missing: {}",
                              folder.string(), listed(missing)));
}

[[noreturn]] void no_data_set(const fs::path& data_path, const std::string& name) {
  const fs::path folder = !name.empty() && files::is_folder(data_path / name) ? data_path / name : data_path;
  const std::vector<std::string> there = data_sets_in(folder);
  const auto list = [](const std::vector<std::string>& names) { return names.empty() ? "nothing" : listed(names); };
  if (!name.empty() && folder == data_path) {
    throw UserError(fmt::format("{}: no data set is called {} (--dataset){}; there {} {}", data_path.string(), name,
                                did_you_mean(name, there), there.size() == 1 ? "is" : "are",
                                list(there.empty() ? names_in(data_path) : there)));
  }
  throw UserError(
      fmt::format("{}: no data set found: expected corpus.jsonl, queries.jsonl and qrels/ in this folder; {} {}",
                  folder.string(), there.empty() ? "found" : "data sets are its sub-folders (name one with --dataset)",
                  list(there.empty() ? names_in(folder) : there)));
}

void require_folder(const fs::path& data_path) {
  if (!files::exists(data_path)) {
    throw UserError(fmt::format("{}: there is no such folder (--data_path)", data_path.string()));
  }
  if (!files::is_folder(data_path)) {
    throw UserError(fmt::format(
        "{}: --data_path is a folder with corpus.jsonl, queries.jsonl and qrels/; this is a file", data_path.string()));
  }
}

/// The first thing that is missing in the folder, beside its corpus.
void require_files(const NamedDataSet& data_set, const std::string& split) {
  const DataSetFolder& folder = data_set.folder;
  if (!files::exists(folder.queries())) {
    throw UserError(fmt::format("{}: there is no queries.jsonl beside corpus.jsonl", folder.path.string()));
  }
  if (files::exists(folder.qrels(split))) return;
  const fs::path of_qrels = folder.qrels(split).parent_path();
  if (!files::exists(of_qrels)) {
    throw UserError(fmt::format("{}: there is no qrels/{}.tsv beside corpus.jsonl", folder.path.string(), split));
  }
  std::vector<std::string> splits;
  for (const std::string& name : names_in(of_qrels)) {
    if (name.ends_with(".tsv")) splits.push_back(fs::path(name).stem().string());
  }
  throw UserError(fmt::format("{}: there is no {}.tsv (--split){}; {}", of_qrels.string(), split,
                              did_you_mean(split, splits),
                              splits.empty() ? "nor any other" : "there are the splits " + listed(splits)));
}

/// The documents that are relevant to some query.
std::set<std::string_view> relevant_documents(const Qrels& qrels) {
  std::set<std::string_view> documents;
  for (const auto& [query, judgements] : qrels) {
    for (const auto& [document, relevance] : judgements) {
      if (relevance > 0) documents.insert(document);
    }
  }
  return documents;
}

/// The documents that are relevant to the query whose id they have.
std::vector<std::string> same_ids(const Qrels& qrels, const std::set<std::string_view>& missing) {
  std::vector<std::string> ids;
  for (const auto& [query, judgements] : qrels) {
    const auto own = judgements.find(query);
    if (own != judgements.end() && own->second > 0 && !missing.contains(query)) ids.push_back(query);
  }
  return ids;
}

void check_relevant(const fs::path& qrels, const std::string& corpus, std::size_t relevant,
                    const std::set<std::string_view>& missing) {
  if (relevant == 0) {
    throw UserError(fmt::format("{}: no document is relevant: expected judgements above 0", qrels.string()));
  }
  if (missing.empty()) return;
  const std::string first = fmt::format("in {}, the first \"{}\"", corpus, *missing.begin());
  if (missing.size() == relevant) {
    throw UserError(
        fmt::format("{}: none of its {} relevant documents is {}; are the ids written differently, or do they "
                    "belong to another data set?",
                    qrels.string(), relevant, first));
  }
  log::warning(fmt::format("{}: {} of {} relevant documents are not {}; no search can find what is not there",
                           qrels.string(), missing.size(), relevant, first));
}

}  // namespace

std::string NamedDataSet::split(const std::string& wanted) const {
  if (!wanted.empty()) return wanted;
  return name == "msmarco" ? "dev" : "test";
}

std::vector<NamedDataSet> find_data_sets(const fs::path& data_path, const std::string& name) {
  require_folder(data_path);
  const std::string label = without_slashes(name.empty() ? DataSetFolder{data_path}.name() : name);
  if (has_corpus(data_path)) return {{label, {data_path}}};
  const fs::path folder = name.empty() ? data_path : data_path / name;
  if (has_corpus(folder)) return {{label, {folder}}};
  // A folder of cqadupstack's forums may be given itself, --dataset then being a name for it.
  for (const fs::path& of_forums : {folder, data_path}) {
    const auto forums = forums_in(of_forums, label);
    if (forums.size() == kForums.size()) {
      const bool mistyped = of_forums != folder && nearest_name(name, data_sets_in(of_forums));
      if (mistyped) no_data_set(data_path, name);
      return forums;
    }
    // Some forums beside other data sets are data sets of their own.
    const bool forums_alone = !forums.empty() && forums.size() == data_sets_in(of_forums).size();
    if (forums_alone && of_forums == folder) missing_forums(folder);
  }
  no_data_set(data_path, name);
}

void check_data_set(const NamedDataSet& data_set, const DataSetChecks& checks) {
  const std::string split = data_set.split(checks.split);
  require_files(data_set, split);
  const fs::path file = data_set.folder.qrels(split);
  const Qrels qrels = read_qrels(file);
  for (const Query& query : read_judged_queries(data_set.folder.queries(), qrels)) {
    if (checks.run_file) require_id_for_run(query.id, data_set.folder.queries().string());
  }
  const std::set<std::string_view> relevant = relevant_documents(qrels);
  std::set<std::string_view> missing = relevant;
  CorpusReader corpus(data_set.folder.corpus());
  for (Document document; corpus.next(document);) {
    if (checks.run_file) require_id_for_run(document.id, corpus.place());
    missing.erase(document.id);
  }
  std::string searched = data_set.folder.corpus().string();
  if (corpus.dropped() > 0) searched += fmt::format(" (but for {} documents without a text)", corpus.dropped());
  check_relevant(file, searched, relevant.size(), missing);
  if (checks.keep_same_ids) return;
  if (const auto same = same_ids(qrels, missing); !same.empty()) {
    log::warning(
        fmt::format("{}: {} of {} relevant documents have the id of their query, the first \"{}\", and are "
                    "left out, as BEIR does; --keep_same_ids counts them",
                    file.string(), same.size(), relevant.size(), same.front()));
  }
}

}  // namespace sgpt
