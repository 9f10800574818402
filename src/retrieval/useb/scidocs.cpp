#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "retrieval/correlation.h"
#include "retrieval/useb/ordered_json.h"
#include "retrieval/useb/task.h"
#include "sgpt/error.h"
#include "sgpt/metrics.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// "cite", "cocite", "coview", "coread": which papers go with which.
struct Relation {
  std::string name;
  Qrels qrels;
};

class Scidocs : public UsebTask {
 public:
  Scidocs(const fs::path& folder, UsebPart part);

  std::string_view name() const override { return "scidocs"; }
  std::string_view main_metric() const override { return "map_scidocs_cosine_avg"; }
  UsebValues evaluate(const EncoderTeam& team) const override;

 private:
  void read_relation(std::string_view name, const JsonNode& node);
  void need(const std::string& id);

  std::unordered_map<std::string, std::string> all_;      // titles that are not empty, by id
  std::unordered_map<std::string, std::size_t> numbers_;  // of those that are needed
  std::vector<std::string> titles_;
  std::vector<std::string> places_;
  std::vector<Relation> relations_;
  std::string file_;
};

Scidocs::Scidocs(const fs::path& folder, UsebPart part) : file_((folder / "data.json").string()) {
  const OrderedJson data(file_);
  const JsonNode corpus = data.root().required("corpus");
  for (const auto& [id, value] : corpus.object()) {
    const auto title = corpus.at(id, value).find("title");
    if (title && !title->string().empty()) all_.insert_or_assign(std::string(id), std::string(title->string()));
  }
  const JsonNode relations = data.root().required(part == UsebPart::test ? "test" : "valid");
  for (const auto& [relation, value] : relations.object()) read_relation(relation, relations.at(relation, value));
  if (relations_.empty()) relations.complain("expected cite, cocite, coview and coread, found none");
}

void Scidocs::read_relation(std::string_view name, const JsonNode& node) {
  constexpr std::uint32_t kMostRelevant = 1000;
  Relation relation{std::string(name), {}};
  bool any = false;
  for (const auto& [query, value] : node.object()) {
    const JsonNode judged = node.at(query, value);
    Judgements& judgements = relation.qrels[std::string(query)];
    for (const auto& [document, relevance] : judged.object()) {
      const auto grade = static_cast<int>(judged.at(document, relevance).integer_below(kMostRelevant));
      judgements.insert_or_assign(std::string(document), grade);
    }
    if (!all_.contains(std::string(query))) continue;
    any = true;
    need(std::string(query));
    for (const auto& [document, relevance] : judgements) {
      if (all_.contains(document)) need(document);
    }
  }
  if (!any) node.complain("none of its queries has a title");
  relations_.push_back(std::move(relation));
}

void Scidocs::need(const std::string& id) {
  if (!numbers_.try_emplace(id, titles_.size()).second) return;
  titles_.push_back(all_.at(id));
  places_.push_back(fmt::format("{}: corpus: {}", file_, id));
}

/// As trec_eval measures without a cut; the means over the queries that have a title.
struct Means {
  double map;
  double ndcg;
};

Means measure(const Qrels& qrels, const Run& run) {
  constexpr int kNoCut[] = {std::numeric_limits<int>::max()};
  const MetricTable means = evaluate(qrels, run, kNoCut).means;
  return {means.at(Metric::map, 0), means.at(Metric::ndcg, 0)};
}

UsebValues Scidocs::evaluate(const EncoderTeam& team) const {
  const Embeddings embeddings = embed_texts(team, "scidocs", titles_, places_);
  const auto row = [&](const std::string& id) { return embeddings.row(static_cast<std::int64_t>(numbers_.at(id))); };
  UsebValues values;
  std::vector<double> maps_euclidean, ndcgs_euclidean, maps_cosine, ndcgs_cosine;
  for (const Relation& relation : relations_) {
    Run by_euclidean;
    Run by_cosine;
    for (const auto& [query, judgements] : relation.qrels) {
      if (!all_.contains(query)) continue;
      auto& near = by_euclidean[query];
      auto& similar = by_cosine[query];
      for (const auto& [document, relevance] : judgements) {
        if (!all_.contains(document)) continue;
        near.push_back({document, -euclidean_distance(row(query), row(document))});
        similar.push_back({document, cosine(row(query), row(document))});
      }
    }
    const Means euclidean = measure(relation.qrels, by_euclidean);
    const Means angular = measure(relation.qrels, by_cosine);
    maps_euclidean.push_back(euclidean.map);
    ndcgs_euclidean.push_back(euclidean.ndcg);
    maps_cosine.push_back(angular.map);
    ndcgs_cosine.push_back(angular.ndcg);
    values.emplace_back(fmt::format("map_scidocs_{}_euclidean", relation.name), euclidean.map);
    values.emplace_back(fmt::format("ndcg_scidocs_{}_euclidean", relation.name), euclidean.ndcg);
    values.emplace_back(fmt::format("map_scidocs_{}_cosine", relation.name), angular.map);
    values.emplace_back(fmt::format("ndcg_scidocs_{}_cosine", relation.name), angular.ndcg);
  }
  values.emplace_back("map_scidocs_euclidean_avg", mean_of(maps_euclidean));
  values.emplace_back("ndcg_scidocs_euclidean_avg", mean_of(ndcgs_euclidean));
  values.emplace_back("map_scidocs_cosine_avg", mean_of(maps_cosine));
  values.emplace_back("ndcg_scidocs_cosine_avg", mean_of(ndcgs_cosine));
  return values;
}

}  // namespace

std::unique_ptr<UsebTask> read_scidocs(const fs::path& folder, UsebPart part) {
  return std::make_unique<Scidocs>(folder, part);
}

}  // namespace sgpt
