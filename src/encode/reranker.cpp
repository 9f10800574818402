#include "sgpt/reranker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/threads.h"
#include "base/unicode.h"
#include "encode/batching.h"
#include "encode/compute_choice.h"
#include "encode/reranker_parts.h"
#include "encode/yes_no.h"
#include "formats/json_file.h"
#include "model/branched_texts.h"
#include "model/lora_adapter.h"
#include "model/memory_plan.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kLengthWithoutLimit = 2048;  // of a BLOOM whose config.json says none

constexpr std::int64_t kYesNoLength = 8192;  // as Qwen3-Reranker's own example has it

// Rows of whole texts, of which shared ones are copies, to a computed row: they take memory alone.
constexpr std::int64_t kMostWholeRows = 4;

/// Tokens that the model sees: positions where it has a table of them, else what it was trained with.
std::int64_t longest_text(const ModelFolder& folder) {
  if (folder.config.longest_text > 0) return folder.config.longest_text;
  return JsonFile(folder.transformer / "config.json").integer("seq_length").value_or(kLengthWithoutLimit);
}

RerankerOptions settle(RerankerOptions options, const ModelFolder& folder) {
  if (!options.yes_no) {
    options.yes_no = asks_yes_or_no(folder);
    if (*options.yes_no) {
      log::info(fmt::format("{}: a score is the probability of \"yes\", as Qwen3-Reranker is asked", folder.name));
    }
  }
  if (options.token_budget < 0) {
    throw UserError(fmt::format("the token budget is {}, but must be positive", options.token_budget));
  }
  if (options.threads < 0) {
    throw UserError(fmt::format("the number of threads is {}, but must be positive", options.threads));
  }
  if (options.token_budget == 0) options.token_budget = kUsualTokenBudget;
  const std::int64_t longest = longest_text(folder);
  if (!options.max_length) {
    const bool limited = folder.config.longest_text > 0;
    options.max_length = !*options.yes_no ? longest : limited ? std::min(kYesNoLength, longest) : kYesNoLength;
  }
  if (*options.max_length < 1 || (folder.config.longest_text > 0 && *options.max_length > longest)) {
    throw UserError(fmt::format("{}: the length is {}, but the model has positions for 1 to {} tokens",
                                folder.path.string(), *options.max_length, longest));
  }
  return options;
}

ComputeType settle_compute(const ModelFolder& folder, const RerankerOptions& options, Backend& backend,
                           const Checkpoint& checkpoint) {
  const DType stored = matrix_type(checkpoint, folder.config);
  const ComputeType compute = choose_compute_type(options.compute, backend, stored);
  const LayerPlan plan = layer_plan(folder.config, backend.activation_type());
  const auto rows = std::max(options.token_budget, *options.max_length);
  const std::uint64_t needed = plan_weights(backend, folder.config, stored, {}, compute).unavoidable() + kProgramBytes +
                               checkpoint.replaced_bytes() + (1 + kMostWholeRows) * forward_working_bytes(plan, rows);
  require_memory(fmt::format("{}: the model", folder.path.string()), needed,
                 "use a smaller --token_budget, or weights of 16 bits (sgpt convert --dtype bf16)");
  return compute;
}

/// A pair on its way: which document, what of it is cut, which query.
struct Question {
  std::size_t pair;
  std::size_t document;  // of the distinct ones
  std::int64_t drop;
  const TokenIds* query;
};

std::string place_of_pair(std::size_t pair, std::size_t pairs, TextPlaces places) {
  return places.empty() ? fmt::format("pair {} of {}", pair + 1, pairs) : places[pair];
}

/// Ids of distinct texts, each tokenized once.
class DistinctIds {
 public:
  std::size_t number_of(std::string_view text, std::size_t pair) {
    const auto [place, added] = numbers_.try_emplace(text, texts_.size());
    if (added) texts_.push_back(text), pairs_.push_back(pair);
    return place->second;
  }
  template <class Tokenize>
  void tokenize(std::size_t pairs, TextPlaces places, const Tokenize& tokenize) {
    ids_.resize(texts_.size());
    parallel_tasks(std::ssize(texts_), [&](std::int64_t number) {
      const auto i = static_cast<std::size_t>(number);
      try {
        ids_[i] = tokenize(texts_[i]);
      } catch (const UserError& error) {
        throw UserError(fmt::format("{}: {}", place_of_pair(pairs_[i], pairs, places), error.what()));
      }
    });
  }
  const TokenIds& ids(std::size_t number) const { return ids_[number]; }

 private:
  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::vector<std::string_view> texts_;
  std::vector<std::size_t> pairs_;  // the first that has it
  std::vector<TokenIds> ids_;
};

/// Texts to be computed together, and whose questions their branches are.
struct Batch {
  BranchedTexts texts;
  std::vector<const Question*> questions;
};

/// A query behind its context, but for the last id, which is only predicted.
void add_query(BranchedTexts& texts, const TokenIds& query) {
  texts.add_branch(std::span(query).first(query.size() - 1));
}

}  // namespace

std::optional<std::string_view> rerank_template(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kTemplates{
      "{} ",
      "{}\n",
      "Document:\n{}\n\nQuery:\n",
      "Body:{}\n\nTitle:\n",
      "selected document:\n{}\n\nrelevant query:\n",
      "The selected text is:\n{}\n\nThe relevant query is:\n",
      "Documents are searched to find matches with the same content.\nThe document \"{}\" is a good search result for "
      "\"",
      "Documents are searched to find matches with the same content.\nDocument: \"{}\"\n\nThe above document is a good "
      "match for the query: \"",
      "# Get matching document and query with the same content\nget_document()\n{}\nget_query_matching_document()\n\""};
  if (name.size() != 1 || name[0] < 'A' || name[0] > 'I') return std::nullopt;
  return kTemplates[static_cast<std::size_t>(name[0] - 'A')];
}

Reranker::Parts::Parts(const std::filesystem::path& model_folder, const RerankerOptions& wanted,
                       std::unique_ptr<Backend> own_backend)
    : folder(read_model_folder(model_folder, wanted.adapter)),
      options(settle(wanted, folder)),
      ids(Tokenizer::load(folder.tokenizer), options.text_template, *options.max_length),
      backend(own_backend ? std::move(own_backend) : make_backend(options.backend)),
      checkpoint(open_weights(folder)),
      model(*backend, checkpoint, folder.config, {},
            options.compute.emplace(settle_compute(folder, options, *backend, checkpoint))),
      head(*backend, checkpoint, folder.config, folder.transformer / "config.json", wanted.vocabulary_rows),
      arenas(backend->memory()) {
  if (ids.tokenizer().vocab_size() > folder.config.vocabulary) {
    throw UserError(
        fmt::format("{}: the tokenizer has {} ids, but the model's embedding has only {} rows: the two do not belong "
                    "together",
                    folder.tokenizer_file().string(), ids.tokenizer().vocab_size(), folder.config.vocabulary));
  }
  options.vocabulary_rows = head.rows();
  if (!*options.yes_no) return;
  yes_no.emplace(ids.tokenizer(), options.instruction, *options.max_length, folder);
  const std::int32_t tokens[] = {yes_no->yes(), yes_no->no()};
  answers.emplace(*backend, checkpoint, folder.config, folder.transformer / "config.json", tokens);
}

namespace {

/// Log-probabilities of all tokens of the questions' queries, one query after the other.
std::vector<double> log_probabilities(const Reranker::Parts& parts, const BranchedTexts& texts,
                                      std::span<const TokenIds* const> queries, Arena& arena) {
  const Arena::Scope scope(arena);
  const Matrix hidden = parts.model.forward(texts, arena);
  TokenBatch rows;
  std::vector<std::int32_t> picked, targets;
  for (std::size_t b = 0; b < queries.size(); ++b) {
    const auto branch = static_cast<std::int64_t>(b);
    picked.push_back(static_cast<std::int32_t>(texts.last_row_of_stem(texts.stem_of[b])));
    const std::int64_t first = texts.first_row_of_branch(branch);
    for (std::int64_t i = 0; i + 1 < std::ssize(*queries[b]); ++i)
      picked.push_back(static_cast<std::int32_t>(first + i));
    targets.insert(targets.end(), queries[b]->begin(), queries[b]->end());
  }
  rows.add(picked);
  const Matrix asked = arena.take(rows.tokens(), hidden.cols);
  parts.backend->embed(parts.backend->place(rows, arena), hidden, asked);
  return parts.head.log_probabilities(asked, targets, arena);
}

void score_batch(const Reranker::Parts& parts, const Batch& batch, Arena& arena, TextPlaces places,
                 std::span<double> scores) {
  std::vector<const TokenIds*> queries;
  for (const Question* question : batch.questions) queries.push_back(question->query);
  const std::vector<double> tokens = log_probabilities(parts, batch.texts, queries, arena);
  auto next = tokens.begin();
  for (const Question* question : batch.questions) {
    const auto end = next + std::ssize(*question->query);
    const double score = std::accumulate(next, end, 0.0);
    if (!std::isfinite(score)) {
      throw UserError(fmt::format("{}: the score is not finite: the weights of {} are too large or broken",
                                  place_of_pair(question->pair, scores.size(), places), parts.folder.path.string()));
    }
    scores[question->pair] = score;
    next = end;
  }
}

}  // namespace

std::vector<double> Reranker::Parts::score_yes_no(std::span<const QueryDocument> pairs, TextPlaces places) const {
  std::vector<TokenIds> all(pairs.size());
  parallel_tasks(std::ssize(pairs), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    try {
      all[i] = yes_no->ids(pairs[i].query, pairs[i].document);
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: {}", place_of_pair(i, pairs.size(), places), error.what()));
    }
  });
  std::vector<double> scores(pairs.size());
  ArenaPool::Lease lease(arenas);
  Arena& arena = *lease;
  for (const std::vector<std::size_t>& numbers : plan_batches(all, options.token_budget)) {
    const Arena::Scope scope(arena);
    const TokenBatch batch = pack_texts(all, numbers, 0);
    const PackedTexts texts = backend->place(batch, arena);
    const Matrix last = arena.take(batch.texts(), folder.config.hidden);
    backend->pool(texts, model.forward(texts, arena), std::array{PoolingMode::lasttoken}, last);
    const std::vector<float> logits = answers->logits(last, arena);
    for (std::size_t b = 0; b < numbers.size(); ++b) {
      const double yes = logits[2 * b], no = logits[2 * b + 1];
      scores[numbers[b]] = 1 / (1 + std::exp(no - yes));
      if (std::isfinite(yes) && std::isfinite(no)) continue;
      throw UserError(fmt::format("{}: the score is not finite: the weights of {} are too large or broken",
                                  place_of_pair(numbers[b], pairs.size(), places), folder.path.string()));
    }
  }
  return scores;
}

TokenIds Reranker::Parts::query_ids(std::string_view query) const {
  if (const auto byte = invalid_utf8(query)) {
    throw UserError(fmt::format("the query is no valid UTF-8 at byte {}", *byte));
  }
  if (yes_no) return ids.tokenizer().encode(query);
  TokenIds query_ids = ids.query(query);
  for (const std::int32_t id : query_ids) {
    if (id < head.rows()) continue;
    throw UserError(
        fmt::format("the query has the token {}, but the softmax is over the first {} rows of the vocabulary "
                    "alone",
                    id, head.rows()));
  }
  return query_ids;
}

std::vector<double> Reranker::Parts::score(std::span<const QueryDocument> pairs, TextPlaces places) const {
  const ThreadScope threads(options.threads);
  if (yes_no) return score_yes_no(pairs, places);
  DistinctIds contexts, queries;
  std::vector<std::size_t> query_of;
  std::vector<Question> questions;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    query_of.push_back(queries.number_of(pairs[i].query, i));
    questions.push_back({i, contexts.number_of(pairs[i].document, i), 0, nullptr});
  }
  queries.tokenize(pairs.size(), places, [&](std::string_view text) { return query_ids(text); });
  contexts.tokenize(pairs.size(), places, [&](std::string_view text) {
    if (const auto byte = invalid_utf8(text)) {
      throw UserError(fmt::format("the document is no valid UTF-8 at byte {}", *byte));
    }
    return ids.context(text);
  });
  for (Question& question : questions) {
    question.query = &queries.ids(query_of[question.pair]);
    question.drop = ids.to_drop(contexts.ids(question.document), *question.query);
  }
  // Longest contexts first, so that memory is at its highest from the beginning; the same ones lie together.
  std::stable_sort(questions.begin(), questions.end(), [&](const Question& a, const Question& b) {
    const auto length = [&](const Question& q) { return std::ssize(contexts.ids(q.document)) - q.drop; };
    if (length(a) != length(b)) return length(a) > length(b);
    return std::pair(a.document, a.drop) < std::pair(b.document, b.drop);
  });

  std::vector<double> scores(pairs.size());
  ArenaPool::Lease lease(arenas);
  Batch batch;
  std::int64_t whole_rows = 0;
  const auto finish = [&] {
    if (!batch.questions.empty()) score_batch(*this, batch, *lease, places, scores);
    batch = {};
    whole_rows = 0;
  };
  const Question* before = nullptr;
  for (const Question& question : questions) {
    const TokenIds& context = contexts.ids(question.document);
    const std::int64_t of_context = std::ssize(context) - question.drop, of_query = std::ssize(*question.query) - 1;
    const bool same = before && before->document == question.document && before->drop == question.drop;
    const std::int64_t new_rows = (same ? 0 : of_context) + of_query;
    const std::int64_t new_whole = (same ? 0 : of_context) + of_context + of_query;
    const bool full = batch.texts.tokens() + new_rows > options.token_budget ||
                      whole_rows + new_whole > kMostWholeRows * options.token_budget;
    if (full) finish();
    if (!same || batch.questions.empty()) {
      batch.texts.stems.add(ids.cut(context, question.drop));
      whole_rows += of_context;
    }
    add_query(batch.texts, *question.query);
    whole_rows += of_context + of_query;
    batch.questions.push_back(&question);
    before = &question;
  }
  finish();
  return scores;
}

std::vector<double> Reranker::Parts::token_log_probabilities(const TokenIds& context, const TokenIds& query) const {
  ArenaPool::Lease lease(arenas);
  BranchedTexts texts;
  texts.stems.add(context);
  add_query(texts, query);
  const TokenIds* const only = &query;
  return log_probabilities(*this, texts, {&only, 1}, *lease);
}

Reranker Reranker::load(const std::filesystem::path& model_folder, const RerankerOptions& options) {
  const ThreadScope threads(options.threads);
  return Reranker(std::make_unique<Parts>(model_folder, options));
}

Reranker::Reranker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Reranker::Reranker(Reranker&&) noexcept = default;
Reranker& Reranker::operator=(Reranker&&) noexcept = default;
Reranker::~Reranker() = default;

std::vector<double> Reranker::score(std::span<const QueryDocument> pairs) const { return parts_->score(pairs); }

std::vector<double> Reranker::score(std::string_view query, std::span<const std::string> documents) const {
  std::vector<QueryDocument> pairs;
  for (const std::string& document : documents) pairs.push_back({query, document});
  return score(pairs);
}

const RerankerOptions& Reranker::options() const { return parts_->options; }
const std::filesystem::path& Reranker::folder() const { return parts_->folder.path; }
const Reranker::Parts& Reranker::parts() const { return *parts_; }

}  // namespace sgpt
