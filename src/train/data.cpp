#include "train/data.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/filesystem.h"
#include "base/unicode.h"
#include "retrieval/dataset.h"
#include "retrieval/qrels.h"
#include "sgpt/error.h"
#include "train/example_lines.h"

namespace sgpt {
namespace {

constexpr std::size_t kTextsAtOnce = 8192;  // tokenised together, on all threads

template <class T>
std::uint64_t hash_of(const std::vector<T>& values, std::uint64_t seed) {
  return XXH3_64bits_withSeed(values.data(), values.size() * sizeof(T), seed);
}

}  // namespace

void TextStore::add(std::span<const std::int32_t> ids, std::uint64_t hash) {
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  begins_.push_back(static_cast<std::int64_t>(ids_.size()));
  hashes_.push_back(hash);
}

std::span<const std::int32_t> TextStore::operator[](std::int64_t text) const {
  const std::int64_t begin = begins_[static_cast<std::size_t>(text)];
  const std::int64_t end = begins_[static_cast<std::size_t>(text) + 1];
  return std::span(ids_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

std::uint64_t TextStore::fingerprint() const { return hash_of(ids_, hash_of(begins_, 0)); }

/// Collects examples; texts wait until there are enough of them to be tokenised together.
class TrainingDataBuilder {
 public:
  explicit TrainingDataBuilder(const TextPreparation& preparation) : preparation_(preparation) {}

  void add_query(std::string text, std::string place) {
    add(std::move(text), std::move(place), TextKind::query, waiting_queries_, data_.queries_);
  }

  /// Returns the document's number.
  std::int64_t add_document(std::string text, std::string place) {
    add(std::move(text), std::move(place), TextKind::document, waiting_documents_, data_.documents_);
    return documents_++;
  }

  /// The example of the query last added.
  void add_example(std::span<const std::int64_t> positives, std::span<const std::int64_t> negatives) {
    data_.examples_.push_back({static_cast<std::int64_t>(data_.links_.size()),
                               static_cast<std::int64_t>(positives.size()),
                               static_cast<std::int64_t>(negatives.size())});
    data_.links_.insert(data_.links_.end(), positives.begin(), positives.end());
    data_.links_.insert(data_.links_.end(), negatives.begin(), negatives.end());
  }

  std::int64_t examples() const { return data_.size(); }

  TrainingData finish(std::int64_t negatives_per_query) {
    flush(TextKind::query, waiting_queries_, data_.queries_);
    flush(TextKind::document, waiting_documents_, data_.documents_);
    data_.negatives_per_query_ = negatives_per_query;
    data_.max_seq_length_ = preparation_.max_seq_length();
    data_.skipped_of_queries_ = preparation_.skipped(TextKind::query);
    data_.skipped_of_documents_ = preparation_.skipped(TextKind::document);
    return std::move(data_);
  }

 private:
  struct Waiting {
    std::vector<std::string> texts;
    std::vector<std::string> places;
  };

  void add(std::string text, std::string place, TextKind kind, Waiting& waiting, TextStore& store) {
    waiting.texts.push_back(std::move(text));
    waiting.places.push_back(std::move(place));
    if (waiting.texts.size() == kTextsAtOnce) flush(kind, waiting, store);
  }

  void flush(TextKind kind, Waiting& waiting, TextStore& store) {
    const PreparedTexts prepared = preparation_.prepare(waiting.texts, kind, waiting.places);
    for (std::size_t i = 0; i < prepared.ids.size(); ++i) {
      store.add(prepared.ids[i], hash_of_text(waiting.texts[i]));
    }
    data_.cut_->add(waiting.texts.size(), prepared.cut, waiting.places);
    waiting = {};
  }

  const TextPreparation& preparation_;
  TrainingData data_;
  Waiting waiting_queries_;
  Waiting waiting_documents_;
  std::int64_t documents_ = 0;
};

namespace {

/// Refuses the lines that do not fit those before them, and finds how many negatives every example can give.
class NegativesCheck {
 public:
  explicit NegativesCheck(std::int64_t wanted) : wanted_(wanted) {}

  void see(std::int64_t negatives, const std::string& place) {
    if (first_place_.empty()) {
      first_place_ = place;
      fewest_ = negatives;
    }
    if ((negatives == 0) != (fewest_ == 0)) {
      throw UserError(fmt::format("{}: this line has {} negative but {} has {}: give every line a negative, or none",
                                  place, negatives == 0 ? "no" : "a", first_place_, negatives == 0 ? "one" : "none"));
    }
    if (negatives < wanted_) {
      throw UserError(fmt::format("{}: this line has {} negatives, fewer than the {} of --negatives_per_query", place,
                                  negatives, wanted_));
    }
    fewest_ = std::min(fewest_, negatives);
  }

  std::int64_t per_query() const { return wanted_ > 0 ? wanted_ : fewest_; }

 private:
  std::int64_t wanted_;
  std::int64_t fewest_ = 0;
  std::string first_place_;
};

bool full(const TrainingDataBuilder& builder, const TrainingDataOptions& options) {
  return options.max_examples > 0 && builder.examples() >= options.max_examples;
}

TrainingData read_json_lines(const std::filesystem::path& path, const TextPreparation& preparation,
                             const TrainingDataOptions& options) {
  TrainingDataBuilder builder(preparation);
  NegativesCheck check(options.negatives_per_query);
  ExampleLines lines(path);
  const auto documents = [&](std::vector<std::string>& texts) {
    std::vector<std::int64_t> numbers;
    for (std::string& text : texts) numbers.push_back(builder.add_document(std::move(text), lines.place()));
    return numbers;
  };
  for (ExampleLine line; !full(builder, options) && lines.next(line);) {
    check.see(static_cast<std::int64_t>(line.negatives.size()), lines.place());
    builder.add_query(std::move(line.query), lines.place());
    const std::vector<std::int64_t> positives = documents(line.positives);
    builder.add_example(positives, documents(line.negatives));
  }
  if (builder.examples() == 0) {
    throw UserError(
        fmt::format("{} holds no training example: lines of {{\"query\", \"positive\", \"negative\"}} are "
                    "expected",
                    path.string()));
  }
  if (options.warnings) lines.remarks().warn();
  return builder.finish(check.per_query());
}

/// The documents that are relevant to some query, and are in the corpus: their numbers by id.
std::unordered_map<std::string, std::int64_t> add_relevant_documents(const DataSetFolder& folder, const Qrels& qrels,
                                                                     TrainingDataBuilder& builder) {
  std::unordered_map<std::string, std::int64_t> numbers;
  for (const auto& [query, judgements] : qrels) {
    for (const auto& [document, relevance] : judgements) {
      if (relevance > 0) numbers.emplace(document, -1);
    }
  }
  CorpusReader corpus(folder.corpus());
  for (Document document; corpus.next(document);) {
    const auto found = numbers.find(document.id);
    if (found != numbers.end()) found->second = builder.add_document(std::move(document.content), corpus.place());
  }
  std::erase_if(numbers, [](const auto& entry) { return entry.second < 0; });
  return numbers;
}

TrainingData read_beir(const std::filesystem::path& path, const TextPreparation& preparation,
                       const TrainingDataOptions& options) {
  const DataSetFolder folder{path};
  if (options.negatives_per_query > 0) {
    throw UserError(
        fmt::format("{}: a BEIR folder has no negatives, but --negatives_per_query asks for {}; use a JSONL "
                    "file with negatives",
                    path.string(), options.negatives_per_query));
  }
  const Qrels qrels = read_qrels(folder.qrels("train"));
  const std::vector<Query> queries = read_judged_queries(folder.queries(), qrels);
  TrainingDataBuilder builder(preparation);
  const auto numbers = add_relevant_documents(folder, qrels, builder);

  Remarks remarks;
  std::vector<std::int64_t> positives;
  for (const Query& query : queries) {
    if (full(builder, options)) break;
    const std::string place = fmt::format("{}: query {}", folder.queries().string(), query.id);
    positives.clear();
    for (const auto& [document, relevance] : qrels.find(query.id)->second) {
      const auto found = numbers.find(document);
      if (relevance > 0 && found != numbers.end()) positives.push_back(found->second);
    }
    if (positives.empty()) {
      remarks.add("a query has no relevant document in the corpus, and is left out", place);
      continue;
    }
    if (strip(query.text).empty()) remarks.add("the query is empty", place);
    builder.add_query(query.text, query.place);
    builder.add_example(positives, {});
  }
  if (builder.examples() == 0) {
    throw UserError(
        fmt::format("{} holds no training example: no query of qrels/train.tsv has a relevant document in "
                    "corpus.jsonl",
                    path.string()));
  }
  if (options.warnings) remarks.warn();
  return builder.finish(0);
}

}  // namespace

TrainingData TrainingData::read(const std::filesystem::path& path, const TextPreparation& preparation,
                                const TrainingDataOptions& options) {
  return files::is_folder(path) ? read_beir(path, preparation, options) : read_json_lines(path, preparation, options);
}

std::uint64_t TrainingData::fingerprint() const {
  const std::vector<std::uint64_t> parts{queries_.fingerprint(), documents_.fingerprint(), hash_of(examples_, 0),
                                         hash_of(links_, 0), static_cast<std::uint64_t>(negatives_per_query_)};
  return hash_of(parts, 0);
}

std::int64_t TrainingData::document(const Example& example, std::int64_t visit, std::int64_t column) const {
  std::int64_t place = visit % example.positives;
  if (column > 1) {
    place = example.positives + (visit * negatives_per_query_ + column - 2) % example.negatives;
  }
  return links_[static_cast<std::size_t>(example.first_link + place)];
}

TrainingBatch TrainingData::batch(std::span<const std::int64_t> examples, std::int64_t visit) const {
  TrainingBatch batch;
  batch.columns.resize(static_cast<std::size_t>(2 + negatives_per_query_));
  for (const std::int64_t number : examples) {
    const Example& example = examples_[static_cast<std::size_t>(number)];
    batch.columns[0].add(queries_[number], skipped_of_queries_);
    for (std::int64_t column = 1; column < std::ssize(batch.columns); ++column) {
      batch.columns[static_cast<std::size_t>(column)].add(documents_[document(example, visit, column)],
                                                          skipped_of_documents_);
    }
  }
  return batch;
}

void TrainingData::texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const {
  hashes.push_back(queries_.hash(example));
  for (std::int64_t column = 1; column < 2 + negatives_per_query_; ++column) {
    hashes.push_back(documents_.hash(document(examples_[static_cast<std::size_t>(example)], visit, column)));
  }
}

}  // namespace sgpt
