// Rank 0 sends every request to all: a header {kind, bytes}, then the texts. Each rank deals them out in the same way,
// embeds its share, and rank 0 gathers the rows. A header without a kind ends the work.
#include "encode/encoder_team.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/unicode.h"
#include "encode/model_identity.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kTextsAtOnce = std::size_t{1} << 14;  // bounds what lies in memory beside the result
constexpr std::int64_t kEnd = -1;
constexpr double kSameModel = 0.999;  // least cosine of two ranks' embeddings of one text

struct Header {
  std::int64_t kind;  // TextKind, or kEnd
  std::int64_t bytes;
};

using Texts = std::vector<std::string>;

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

/// Places in a request, for each rank.
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

/// Computes this rank's share; on rank 0, rows[texts, d] = all shares.
void embed_together(const Encoder& encoder, Communicator& ranks, std::span<const std::string> texts, TextKind kind,
                    std::span<float> rows) {
  const auto d = static_cast<std::size_t>(encoder.dimension());
  const Deal deal = deal_out(texts, static_cast<std::size_t>(ranks.size()));
  Texts share;
  for (const std::size_t place : deal[static_cast<std::size_t>(ranks.rank())]) share.push_back(texts[place]);
  const Embeddings mine = encoder.encode(share, kind);
  std::vector<std::int64_t> counts;
  for (const auto& places : deal) counts.push_back(static_cast<std::int64_t>(places.size() * d));
  std::vector<float> gathered(rows.size());
  ranks.gather(mine.values, counts, gathered);
  if (!ranks.first()) return;
  auto row = gathered.cbegin();
  for (const auto& places : deal) {
    for (const std::size_t place : places) {
      std::copy_n(row, d, rows.begin() + static_cast<std::ptrdiff_t>(place * d));
      row += static_cast<std::ptrdiff_t>(d);
    }
  }
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

Embeddings EncoderTeam::encode(std::span<const std::string> texts, TextKind kind) const {
  if (ranks_->alone()) return encoder_->encode(texts, kind);
  Embeddings result{std::ssize(texts), encoder_->dimension(), {}};
  const auto d = static_cast<std::size_t>(result.dimension);
  result.values.resize(texts.size() * d);
  for (std::size_t begin = 0; begin < texts.size(); begin += kTextsAtOnce) {
    const auto some = texts.subspan(begin, std::min(kTextsAtOnce, texts.size() - begin));
    std::string request = packed(some);
    Header header{static_cast<std::int64_t>(kind), std::ssize(request)};
    ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
    ranks_->broadcast(std::as_writable_bytes(std::span(request)));
    embed_together(*encoder_, *ranks_, some, kind, std::span(result.values).subspan(begin * d, some.size() * d));
  }
  return result;
}

void EncoderTeam::help() const {
  for (std::string request;;) {
    Header header{};
    ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
    if (header.kind == kEnd) return;
    request.resize(static_cast<std::size_t>(header.bytes));
    ranks_->broadcast(std::as_writable_bytes(std::span(request)));
    embed_together(*encoder_, *ranks_, unpacked(request), static_cast<TextKind>(header.kind), {});
  }
}

void EncoderTeam::dismiss() const {
  Header header{kEnd, 0};
  ranks_->broadcast(std::as_writable_bytes(std::span(&header, 1)));
}

void with_team(const Encoder& encoder, Communicator& ranks, const std::function<void(const EncoderTeam&)>& work) {
  const EncoderTeam team(encoder, ranks);
  if (ranks.alone()) return work(team);
  require_same_encoders(encoder, ranks);
  if (!ranks.first()) return team.help();
  work(team);
  team.dismiss();
}

}  // namespace sgpt
