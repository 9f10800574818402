#include "train/msmarco/msmarco_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mapped_text.h"
#include "base/random.h"
#include "sgpt/error.h"
#include "train/example_lines.h"
#include "train/msmarco/example_selection.h"
#include "train/msmarco/query_table.h"
#include "train/msmarco/scores.h"

namespace sgpt {
namespace {

MsMarcoFolder checked(MsMarcoFolder folder) {
  require_msmarco_files(folder);
  return folder;
}

/// Everything that the selection depends on.
std::string key_of(const MsMarcoFolder& folder, const MsMarcoOptions& options) {
  std::string key = "sgpt: selected examples, version 1\n";
  for (const auto& path : {folder.collection(), folder.train_queries(), folder.hard_negatives(), folder.scores()}) {
    const FileStamp stamp = stamp_of(path);
    key += fmt::format("{}: {} bytes, of {}\n", path.filename().string(), stamp.size, stamp.modified);
  }
  return key + fmt::format("systems [{}], {} of each, margin {}, {} queries\n", fmt::join(options.systems, ","),
                           options.negatives_per_system, options.score_margin, options.all_queries ? "all" : "good");
}

ExampleTable open_examples(const MsMarcoFolder& folder, const MsMarcoOptions& options, const Collection& collection,
                           const MappedFile& queries) {
  const FileLock lock(folder.hard_negatives());
  const std::string key = key_of(folder, options);
  if (auto table = ExampleTable::open(folder.examples(), key)) return *std::move(table);
  {
    const QueryTable query_table(queries);
    log::info(fmt::format("{}: reading the cross-encoder's scores; needed once", folder.scores().string()));
    CrossEncoderScores scores(folder.scores(), folder.folder);
    ExampleTableWriter writer(folder.examples(), key);
    select_examples({folder, collection, query_table, scores}, options, writer);
    writer.commit();
  }
  drop_pages(queries.bytes());
  if (auto table = ExampleTable::open(folder.examples(), key)) return *std::move(table);
  throw MachineError(fmt::format("{}: was changed while it was written; try again", folder.examples().string()));
}

}  // namespace

MsMarcoData::MsMarcoData(const TextPreparation& preparation, Options options)
    : preparation_(preparation),
      options_(std::move(options)),
      folder_(checked({options_.selection.folder})),
      collection_(folder_.collection()),
      queries_(map_text(folder_.train_queries(), folder_.folder)),
      examples_(open_examples(folder_, options_.selection, collection_, queries_)),
      size_(options_.max_examples > 0 ? std::min(options_.max_examples, examples_.size()) : examples_.size()) {
  log::info(fmt::format("{}: {} passages, {} training queries", folder_.folder.string(), collection_.size(), size_));
}

/// A list of n shuffled with the seed, from which each visit takes the first and puts it at the end: number visit mod
/// n.
std::uint32_t MsMarcoData::negative(std::int64_t number, std::int64_t visit) const {
  const MsMarcoExample& example = examples_[number];
  const std::span<const std::uint32_t> listed = examples_.negatives(example);
  Random random(options_.seed, static_cast<std::uint64_t>(number));
  if (!listed.empty()) {
    std::vector<std::uint32_t> shuffled(listed.begin(), listed.end());
    random.shuffle(std::span(shuffled));
    return shuffled[static_cast<std::size_t>(visit) % shuffled.size()];
  }
  const std::span<const std::uint32_t> positives = examples_.positives(example);
  const auto passages = static_cast<std::uint32_t>(collection_.size());
  Random of_visit(random.next(), static_cast<std::uint64_t>(visit));
  std::uint32_t row = of_visit.below(passages);
  for (std::size_t i = 0; i < positives.size(); ++i) {  // past every positive, at the most
    if (std::find(positives.begin(), positives.end(), row) == positives.end()) break;
    row = (row + 1) % passages;
  }
  return row;
}

MsMarcoData::Rows MsMarcoData::rows(std::int64_t example, std::int64_t visit) const {
  const std::span<const std::uint32_t> positives = examples_.positives(examples_[example]);
  const Rows rows{positives[static_cast<std::size_t>(visit) % positives.size()], negative(example, visit)};
  if (std::max(rows.positive, rows.negative) >= collection_.size()) {
    throw UserError(fmt::format("{} is broken: delete it, it will be made anew", folder_.examples().string()));
  }
  return rows;
}

std::uint64_t MsMarcoData::fingerprint() const {
  std::string summary = fmt::format("{} examples, seed {}\n", size_, options_.seed);
  for (const auto& path : {folder_.collection(), folder_.train_queries(), folder_.hard_negatives(), folder_.scores()}) {
    summary += fmt::format("{} {}\n", path.filename().string(), stamp_of(path).size);
  }
  return XXH3_64bits(summary.data(), summary.size());
}

TrainingBatch MsMarcoData::batch(std::span<const std::int64_t> examples, std::int64_t visit) const {
  std::vector<std::string> queries;
  std::vector<std::string> documents;  // positive and negative of each in turn
  std::vector<std::string> query_places;
  std::vector<std::string> places;
  for (const std::int64_t number : examples) {
    const Rows passages = rows(number, visit);
    queries.push_back(query_text(queries_, examples_[number].query));
    documents.push_back(collection_.text(passages.positive));
    documents.push_back(collection_.text(passages.negative));
    query_places.push_back(query_place(queries_, examples_[number].query));
    for (const std::uint32_t row : {passages.positive, passages.negative}) {
      places.push_back(fmt::format("{}: passage {}", folder_.collection().string(), collection_.pid(row)));
    }
  }
  TrainingBatch batch;
  batch.columns.resize(3);
  const auto prepare = [&](const std::vector<std::string>& texts, TextKind kind, TextPlaces where) {
    PreparedTexts prepared = preparation_.prepare(texts, kind, where);
    cut_.add(texts.size(), prepared.cut, where);
    return prepared;
  };
  const PreparedTexts asked = prepare(queries, TextKind::query, query_places);
  for (const TokenIds& ids : asked.ids) batch.columns[0].add(ids, asked.skipped);
  const PreparedTexts passages = prepare(documents, TextKind::document, places);
  for (std::size_t i = 0; i < passages.ids.size(); ++i) batch.columns[1 + i % 2].add(passages.ids[i], passages.skipped);
  return batch;
}

void MsMarcoData::texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const {
  const Rows passages = rows(example, visit);
  hashes.push_back(hash_of_text(query_text(queries_, examples_[example].query)));
  for (const std::uint32_t row : {passages.positive, passages.negative}) {
    hashes.push_back(hash_of_text(collection_.text(row)));
  }
}

}  // namespace sgpt
