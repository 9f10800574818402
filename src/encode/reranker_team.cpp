// Rank 0 sends every request to all: distinct texts, which of them make each pair, and the pairs' places. Each rank
// finds its share in the same way, scores it, and tells all. A request without pairs ends the work.
#include "encode/reranker_team.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>

#include "encode/reranker_parts.h"
#include "encode/team_messages.h"

#include <fmt/format.h>

namespace sgpt {
namespace {

struct Request {
  std::vector<std::string> texts;    // queries and documents, each once
  std::vector<std::uint32_t> pairs;  // query and document of each pair, as numbers of texts
  std::vector<std::string> places;   // of the pairs
};

Request request_of(std::span<const QueryDocument> pairs, TextPlaces places) {
  Request request;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  const auto number_of = [&](std::string_view text) {
    const auto [place, added] = numbers.try_emplace(text, static_cast<std::uint32_t>(request.texts.size()));
    if (added) request.texts.emplace_back(text);
    return place->second;
  };
  for (const QueryDocument& pair : pairs) {
    request.pairs.push_back(number_of(pair.query));
    request.pairs.push_back(number_of(pair.document));
  }
  request.places.assign(places.begin(), places.end());
  return request;
}

/// request = rank 0's.
void broadcast(Communicator& ranks, Request& request) {
  std::string texts = packed_texts(request.texts), places = packed_texts(request.places);
  std::string pairs(reinterpret_cast<const char*>(request.pairs.data()), request.pairs.size() * sizeof(std::uint32_t));
  for (std::string* part : {&texts, &pairs, &places}) broadcast_text(ranks, *part);
  if (ranks.first()) return;
  request.texts = unpacked_texts(texts);
  request.places = unpacked_texts(places);
  request.pairs.resize(pairs.size() / sizeof(std::uint32_t));
  std::memcpy(request.pairs.data(), pairs.data(), pairs.size());
}

/// Where each rank's share begins among the pairs, the end last: as even in bytes as can be, without dividing the pairs
/// of one document.
std::vector<std::size_t> shares_of(std::span<const QueryDocument> pairs, std::size_t ranks) {
  const auto of_document = [&](std::size_t i) {
    return i > 0 && pairs[i].document == pairs[i - 1].document ? 0 : pairs[i].document.size();
  };
  std::size_t total = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) total += of_document(i) + pairs[i].query.size();
  std::vector<std::size_t> begins{0};
  std::size_t before = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const bool new_document = i == 0 || pairs[i].document != pairs[i - 1].document;
    while (new_document && begins.size() < ranks && before * ranks >= begins.size() * total && i > 0) {
      begins.push_back(i);
    }
    before += of_document(i) + pairs[i].query.size();
  }
  begins.resize(ranks + 1, pairs.size());
  return begins;
}

/// Scores this rank's share, and gives those of all.
std::vector<double> score_together(const Reranker& reranker, Communicator& ranks, const Request& request) {
  std::vector<QueryDocument> pairs;
  for (std::size_t i = 0; i < request.pairs.size(); i += 2) {
    pairs.push_back({request.texts[request.pairs[i]], request.texts[request.pairs[i + 1]]});
  }
  const auto begins = shares_of(pairs, static_cast<std::size_t>(ranks.size()));
  const auto rank = static_cast<std::size_t>(ranks.rank());
  const std::size_t begin = begins[rank], count = begins[rank + 1] - begin;
  const std::vector<double> mine =
      reranker.parts().score(std::span(pairs).subspan(begin, count), std::span(request.places).subspan(begin, count));
  std::vector<double> all;
  for (const std::string& bytes :
       ranks.all_gather(std::string_view(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(double)))) {
    const std::size_t old = all.size();
    all.resize(old + bytes.size() / sizeof(double));
    std::memcpy(all.data() + old, bytes.data(), bytes.size());
  }
  return all;
}

std::string options_line(const RerankerOptions& options) {
  return fmt::format("{} vocabulary_rows={} max_length={} backend={} compute={}",
                     *options.yes_no ? fmt::format("yes_no \"{}\"", options.instruction)
                                     : fmt::format("template \"{}\"", options.text_template),
                     options.vocabulary_rows, *options.max_length, options.backend, name_of(*options.compute));
}

void require_same_rerankers(const Reranker& reranker, Communicator& ranks) {
  const Reranker::Parts& parts = reranker.parts();
  TokenIds ids = parts.ids.context("Do all of us have the same model?");
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(*reranker.options().max_length)));
  TokenBatch probe;
  probe.add(ids);
  ArenaPool::Lease arena(parts.arenas);
  const Matrix hidden = parts.model.forward(parts.backend->place(probe, *arena), *arena);
  std::vector<float> last(static_cast<std::size_t>(hidden.cols));  // of the last token, which has seen all others
  parts.backend->download(hidden.slice(hidden.rows - 1, 1), Matrix(last.data(), 1, hidden.cols));
  require_same_model(ranks, options_line(reranker.options()), last, "the scores");
}

}  // namespace

std::vector<double> RerankerTeam::score(std::span<const QueryDocument> pairs, TextPlaces places) const {
  if (ranks_->alone() || pairs.empty()) return reranker_->parts().score(pairs, places);
  Request request = request_of(pairs, places);
  broadcast(*ranks_, request);
  return score_together(*reranker_, *ranks_, request);
}

void RerankerTeam::help() const {
  for (;;) {
    Request request;
    broadcast(*ranks_, request);
    if (request.pairs.empty()) return;
    score_together(*reranker_, *ranks_, request);
  }
}

void RerankerTeam::dismiss() const {
  Request end;
  broadcast(*ranks_, end);
}

void with_team(const Reranker& reranker, Communicator& ranks, const std::function<void(const RerankerTeam&)>& work) {
  const RerankerTeam team(reranker, ranks);
  if (!ranks.alone()) require_same_rerankers(reranker, ranks);
  if (!ranks.first()) return team.help();
  work(team);
  if (!ranks.alone()) team.dismiss();
}

}  // namespace sgpt
