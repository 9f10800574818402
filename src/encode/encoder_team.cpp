// Rank 0 sends every request to all: a header {kind, bytes of the texts, bytes of their places}, then both. Each rank
// deals them out in the same way, embeds its share, and rank 0 gathers the rows. A header without a kind ends the work.
#include "encode/encoder_team.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/unicode.h"
#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kTextsAtOnce = std::size_t{1} << 14;  // bounds what lies in memory beside the result
constexpr std::int64_t kEnd = -1;
constexpr double kSameModel = 0.999;  // least cosine of two ranks' embeddings of one text

struct Header {
  std::int64_t kind;   // TextKind, or kEnd
  std::int64_t texts;  // bytes
  std::int64_t places;
};

using Texts = std::vector<std::string>;

/// Each of them behind its length.
std::string packed(std::span<const std::string> texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const std::uint64_t size = text.size();
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
  return bytes;
}

Texts unpacked(std::string_view bytes) {
  Texts texts;
  while (!bytes.empty()) {
    std::uint64_t size;
    std::memcpy(&size, bytes.data(), sizeof size);
    texts.emplace_back(bytes.substr(sizeof size, size));
    bytes.remove_prefix(sizeof size + size);
  }
  return texts;
}

/// What all ranks embed together.
struct Request {
  Texts texts;
  Texts places;
};

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

double cosine(std::span<const float> a, std::span<const float> b) {
  const auto dot = [](std::span<const float> x, std::span<const float> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// The bytes of one text's embedding, by rank.
std::vector<std::string> probed(const Encoder& encoder, Communicator& ranks) {
  const Texts probe{"Do all of us have the same model?"};
  const std::vector<float> mine = encoder.encode(probe, TextKind::document).values;
  return ranks.all_gather(std::string_view(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(float)));
}

/// Whether two embeddings are the same but for rounding.
bool alike(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  std::vector<float> x(a.size() / sizeof(float));
  std::vector<float> y(x.size());
  std::memcpy(x.data(), a.data(), a.size());
  std::memcpy(y.data(), b.data(), b.size());
  return cosine(x, y) >= kSameModel;
}

/// Compares what every rank was told, and the numbers that it computes.
void require_same_encoders(const Encoder& encoder, Communicator& ranks) {
  const std::vector<std::string> options = ranks.all_gather(embedding_options(encoder));
  const std::vector<std::string> embeddings = probed(encoder, ranks);
  for (std::size_t rank = 1; rank < options.size(); ++rank) {
    if (options[rank] != options.front()) {
      throw UserError(
          fmt::format("the ranks differ: rank 0 has {}, but rank {} has {}; start all of them with the "
                      "same options and model",
                      options.front(), rank, options[rank]));
    }
    if (embeddings[rank] == embeddings.front()) continue;
    if (!alike(embeddings[rank], embeddings.front())) {
      throw UserError(fmt::format("the ranks differ: rank {} has another model than rank 0", rank));
    }
    if (!ranks.first()) continue;
    log::warning(
        fmt::format("rank {} computes other last bits than rank 0, as another kind of processor may: the "
                    "embeddings are as exact, but not the same file as one process writes",
                    rank));
  }
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
    std::string packed_texts = packed(request.texts);
    std::string packed_places = packed(request.places);
    Header header{static_cast<std::int64_t>(kind), std::ssize(packed_texts), std::ssize(packed_places)};
    ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
    ranks_->broadcast(std::as_writable_bytes(std::span(packed_texts)));
    ranks_->broadcast(std::as_writable_bytes(std::span(packed_places)));
    const Embeddings some = embed_together(*encoder_, *ranks_, request, kind);
    result.values.insert(result.values.end(), some.values.begin(), some.values.end());
    for (const std::size_t text : some.cut) result.cut.push_back(begin + text);
  }
  return result;
}

void EncoderTeam::help() const {
  for (;;) {
    Header header{};
    ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
    if (header.kind == kEnd) return;
    std::string texts(static_cast<std::size_t>(header.texts), '\0');
    std::string places(static_cast<std::size_t>(header.places), '\0');
    ranks_->broadcast(std::as_writable_bytes(std::span(texts)));
    ranks_->broadcast(std::as_writable_bytes(std::span(places)));
    embed_together(*encoder_, *ranks_, {unpacked(texts), unpacked(places)}, static_cast<TextKind>(header.kind));
  }
}

void EncoderTeam::dismiss() const {
  Header header{kEnd, 0, 0};
  ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
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
