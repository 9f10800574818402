// Rank 0 sends every request to all: the kind, the texts and their places. Each rank deals them out in the same way,
// embeds its share, and rank 0 gathers the rows. A request without a kind ends the work.
#include "encode/encoder_team.h"

#include <algorithm>
#include <vector>

#include "base/unicode.h"
#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "encode/team_messages.h"

namespace sgpt {
namespace {

constexpr std::size_t kTextsAtOnce = std::size_t{1} << 14;  // bounds what lies in memory beside the result
constexpr std::int64_t kEnd = -1;                           // in the place of a kind

using Texts = std::vector<std::string>;

/// What all ranks embed together.
struct Request {
  Texts texts;
  Texts places;
};

/// request and kind = rank 0's. Nothing follows the kind that ends the work.
std::int64_t broadcast(Communicator& ranks, std::int64_t kind, Request& request) {
  ranks.broadcast(std::as_writable_bytes(std::span(&kind, 1)));
  if (kind == kEnd) return kind;
  std::string texts = packed_texts(request.texts), places = packed_texts(request.places);
  broadcast_text(ranks, texts);
  broadcast_text(ranks, places);
  if (!ranks.first()) request = {unpacked_texts(texts), unpacked_texts(places)};
  return kind;
}

/// Numbers of texts, for each rank.
using Deal = std::vector<std::vector<std::size_t>>;

/// Longest first, to and fro over the ranks, so that each has about as much to do. Texts without a token cost nothing,
/// and are all rank 0's: it is the one that warns of them.
Deal deal_out(std::span<const std::string> texts, std::size_t ranks) {
  Deal deal(ranks);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (strip(texts[i]).empty()) {
      deal.front().push_back(i);
    } else {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return texts[a].size() > texts[b].size(); });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t place = i % ranks;
    const bool back = i / ranks % 2 == 1;
    deal[back ? ranks - 1 - place : place].push_back(order[i]);
  }
  return deal;
}

/// rows[texts, columns] on rank 0 = the rows of every rank's share.
void gather_rows(Communicator& ranks, const Deal& deal, std::span<const float> mine, std::size_t columns,
                 std::span<float> rows) {
  std::vector<std::int64_t> counts;
  for (const auto& share : deal) counts.push_back(static_cast<std::int64_t>(share.size() * columns));
  std::vector<float> gathered(rows.size());
  ranks.gather(mine, counts, gathered);
  if (!ranks.first()) return;
  auto row = gathered.cbegin();
  for (const auto& share : deal) {
    for (const std::size_t text : share) {
      std::copy_n(row, columns, rows.begin() + static_cast<std::ptrdiff_t>(text * columns));
      row += static_cast<std::ptrdiff_t>(columns);
    }
  }
}

/// Computes this rank's share. Of all shares rank 0 gets the rows [texts, d], and the texts that were cut.
Embeddings embed_together(const Encoder& encoder, Communicator& ranks, const Request& request, TextKind kind) {
  const Deal deal = deal_out(request.texts, static_cast<std::size_t>(ranks.size()));
  Request share;
  for (const std::size_t text : deal[static_cast<std::size_t>(ranks.rank())]) {
    share.texts.push_back(request.texts[text]);
    share.places.push_back(request.places[text]);
  }
  const Embeddings mine = encoder.parts().encode(share.texts, kind, share.places);
  std::vector<float> mine_cut(share.texts.size());  // 1 for a text that was: numbers are what ranks exchange
  for (const std::size_t text : mine.cut) mine_cut[text] = 1;

  Embeddings all{std::ssize(request.texts), encoder.dimension(), {}};
  std::vector<float> cut;
  if (ranks.first()) {
    all.values.resize(request.texts.size() * static_cast<std::size_t>(all.dimension));
    cut.resize(request.texts.size());
  }
  gather_rows(ranks, deal, mine.values, static_cast<std::size_t>(all.dimension), all.values);
  gather_rows(ranks, deal, mine_cut, 1, cut);
  for (std::size_t text = 0; text < cut.size(); ++text) {
    if (cut[text] != 0) all.cut.push_back(text);
  }
  return all;
}

void require_same_encoders(const Encoder& encoder, Communicator& ranks) {
  const Texts probe{"Do all of us have the same model?"};
  require_same_model(ranks, embedding_options(encoder), encoder.encode(probe, TextKind::document).values,
                     "the embeddings");
}

}  // namespace

Embeddings EncoderTeam::encode(std::span<const std::string> texts, TextKind kind, TextPlaces places) const {
  Embeddings result = ranks_->alone() ? encoder_->parts().encode(texts, kind, places) : ask(texts, kind, places);
  cut_->add(texts.size(), result.cut, places);
  return result;
}

Embeddings EncoderTeam::ask(std::span<const std::string> texts, TextKind kind, TextPlaces places) const {
  Embeddings result{std::ssize(texts), encoder_->dimension(), {}};
  result.values.reserve(texts.size() * static_cast<std::size_t>(result.dimension));
  for (std::size_t begin = 0; begin < texts.size(); begin += kTextsAtOnce) {
    const std::size_t end = std::min(begin + kTextsAtOnce, texts.size());
    Request request;
    for (std::size_t text = begin; text < end; ++text) {
      request.texts.push_back(texts[text]);
      request.places.push_back(place_of(text, texts.size(), places));
    }
    broadcast(*ranks_, static_cast<std::int64_t>(kind), request);
    const Embeddings some = embed_together(*encoder_, *ranks_, request, kind);
    result.values.insert(result.values.end(), some.values.begin(), some.values.end());
    for (const std::size_t text : some.cut) result.cut.push_back(begin + text);
  }
  return result;
}

void EncoderTeam::help() const {
  for (;;) {
    Request request;
    const std::int64_t kind = broadcast(*ranks_, kEnd, request);
    if (kind == kEnd) return;
    embed_together(*encoder_, *ranks_, request, static_cast<TextKind>(kind));
  }
}

void EncoderTeam::dismiss() const {
  Request none;
  broadcast(*ranks_, kEnd, none);
}

void with_team(const Encoder& encoder, Communicator& ranks, const std::function<void(const EncoderTeam&)>& work) {
  const EncoderTeam team(encoder, ranks);
  if (!ranks.first()) encoder.parts().keep_silent();
  if (!ranks.alone()) require_same_encoders(encoder, ranks);
  if (!ranks.first()) return team.help();
  work(team);
  if (!ranks.alone()) team.dismiss();
  team.tell_cut_texts();
}

}  // namespace sgpt
