#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/progress.h"
#include "retrieval/chunk_pacer.h"
#include "retrieval/useb/ordered_json.h"
#include "retrieval/useb/task.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMapCut = 100;
constexpr std::size_t kNdcgCut = 10;

struct Texts {
  std::vector<std::string> ids;
  std::vector<std::string> texts;
  std::vector<std::string> places;

  void add(std::string_view id, std::string text, std::string place) {
    ids.emplace_back(id);
    texts.push_back(std::move(text));
    places.push_back(std::move(place));
  }
};

struct Forum {
  std::string name;
  Texts queries;
  std::vector<std::vector<std::string>> relevant;  // [queries]
  Texts pool;                                      // all other questions, in the file's order
};

class CqadupstackForums : public UsebTask {
 public:
  CqadupstackForums(const fs::path& folder, UsebPart part);

  std::string_view name() const override { return "cqadupstack"; }
  std::string_view main_metric() const override { return "map@100_cqadupstack_avg"; }
  UsebValues evaluate(const EncoderTeam& team) const override;

 private:
  std::vector<Forum> forums_;
};

/// The questions of a forum: of equal ids the last text counts.
Texts read_questions(const JsonNode& forum) {
  Texts questions;
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (const auto& [id, value] : forum.object()) {
    const JsonNode text = forum.at(id, value);
    const auto [known, is_new] = numbers.try_emplace(id, questions.ids.size());
    if (is_new) {
      questions.add(id, std::string(text.string()), text.told("the text"));
    } else {
      questions.texts[known->second] = text.string();
    }
  }
  return questions;
}

Forum read_forum(std::string_view name, const JsonNode& corpus, const JsonNode& judged) {
  Forum forum{std::string(name), {}, {}, {}};
  const Texts questions = read_questions(corpus);
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < questions.ids.size(); ++i) numbers.emplace(questions.ids[i], i);
  std::unordered_set<std::string_view> asked;
  for (const auto& [id, value] : judged.object()) {
    const JsonNode list = judged.at(id, value);
    const auto found = numbers.find(id);
    if (found == numbers.end()) list.complain(fmt::format("the query is not in the forum's corpus"));
    if (!asked.insert(found->first).second) list.complain("the query is there twice");
    forum.queries.add(id, questions.texts[found->second], questions.places[found->second]);
    auto& relevant = forum.relevant.emplace_back();
    std::size_t i = 0;
    for (const auto element : list.array()) relevant.emplace_back(list.at(i++, element).string());
  }
  if (forum.queries.ids.empty()) judged.complain("expected queries, found none");
  for (std::size_t i = 0; i < questions.ids.size(); ++i) {
    if (asked.contains(questions.ids[i])) continue;
    forum.pool.add(questions.ids[i], questions.texts[i], questions.places[i]);
  }
  if (forum.pool.ids.empty()) corpus.complain("every question is a query, none is left to be found");
  return forum;
}

CqadupstackForums::CqadupstackForums(const fs::path& folder, UsebPart part) {
  const OrderedJson corpus(folder / "corpus.json");
  const OrderedJson split(folder / "retrieval_split.json");
  const JsonNode judged = split.root().required(part == UsebPart::test ? "test" : "valid");
  for (const auto& [name, value] : corpus.root().object()) {
    forums_.push_back(read_forum(name, corpus.root().at(name, value), judged.required(name)));
  }
  if (forums_.empty()) corpus.root().complain("expected forums, found none");
}

std::vector<std::vector<Hit>> search(const EncoderTeam& team, const Forum& forum) {
  const EncoderOptions& options = team.encoder().options();
  ExactSearch search(team.encode(forum.queries.texts, TextKind::plain, forum.queries.places),
                     {.top_k = kMapCut, .threads = options.threads, .backend = options.backend});
  const std::span<const std::string> texts = forum.pool.texts;
  const std::span<const std::string> places = forum.pool.places;
  Progress progress(fmt::format("cqadupstack {}", forum.name), "texts", static_cast<std::int64_t>(texts.size()));
  ChunkPacer chunk;
  for (std::size_t begin = 0; begin < texts.size();) {
    const std::size_t count = std::min(chunk.size(), texts.size() - begin);
    chunk.begin();
    search.add(team.encode(texts.subspan(begin, count), TextKind::plain, places.subspan(begin, count)).values);
    chunk.end();
    begin += count;
    progress.update(static_cast<std::int64_t>(begin));
  }
  return search.hits();
}

/// Sum of the gains of relevant hits, of which the best ranking has `relevant` first.
double ndcg(const std::vector<bool>& hits, std::size_t relevant) {
  const auto gain = [](std::size_t rank) { return 1 / std::log2(static_cast<double>(rank) + 2); };
  double gained = 0;
  double ideal = 0;
  for (std::size_t rank = 0; rank < kNdcgCut; ++rank) {
    if (rank < hits.size() && hits[rank]) gained += gain(rank);
    if (rank < relevant) ideal += gain(rank);
  }
  return gained / ideal;
}

UsebValues CqadupstackForums::evaluate(const EncoderTeam& team) const {
  UsebValues values;
  std::vector<double> maps;
  std::vector<double> ndcgs;
  for (const Forum& forum : forums_) {
    const auto found = search(team, forum);
    std::vector<double> precisions;
    std::vector<double> gains;
    for (std::size_t query = 0; query < found.size(); ++query) {
      const auto& relevant = forum.relevant[query];
      const std::set<std::string_view> wanted(relevant.begin(), relevant.end());
      std::vector<float> scores;
      std::vector<bool> hits;
      for (const Hit& hit : found[query]) {
        scores.push_back(hit.score);
        hits.push_back(wanted.contains(forum.pool.ids[static_cast<std::size_t>(hit.document)]));
      }
      precisions.push_back(average_precision(scores, hits));
      if (!relevant.empty()) gains.push_back(ndcg(hits, relevant.size()));
    }
    maps.push_back(mean_of(precisions));
    ndcgs.push_back(mean_of(gains));
    values.emplace_back("map@100_cqadupstack_" + forum.name, maps.back());
    values.emplace_back("ndcg@10_cqadupstack_" + forum.name, ndcgs.back());
  }
  values.emplace_back("map@100_cqadupstack_avg", mean_of(maps));
  values.emplace_back("ndcg@10_cqadupstack_avg", mean_of(ndcgs));
  return values;
}

}  // namespace

std::unique_ptr<UsebTask> read_cqadupstack(const fs::path& folder, UsebPart part) {
  return std::make_unique<CqadupstackForums>(folder, part);
}

}  // namespace sgpt
