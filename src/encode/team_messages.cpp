#include "encode/team_messages.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "base/log.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr double kSameModel = 0.999;  // least cosine of two ranks' vectors of one text

double cosine(std::span<const float> a, std::span<const float> b) {
  const auto dot = [](std::span<const float> x, std::span<const float> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// Whether the bytes of two vectors are those of one but for rounding.
bool alike(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  std::vector<float> x(a.size() / sizeof(float));
  std::vector<float> y(x.size());
  std::memcpy(x.data(), a.data(), a.size());
  std::memcpy(y.data(), b.data(), b.size());
  return cosine(x, y) >= kSameModel;
}

}  // namespace

std::string packed_texts(std::span<const std::string> texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const std::uint64_t size = text.size();
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
  return bytes;
}

std::vector<std::string> unpacked_texts(std::string_view bytes) {
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    std::uint64_t size;
    std::memcpy(&size, bytes.data(), sizeof size);
    texts.emplace_back(bytes.substr(sizeof size, size));
    bytes.remove_prefix(sizeof size + size);
  }
  return texts;
}

void broadcast_text(Communicator& ranks, std::string& value) {
  std::int64_t size = std::ssize(value);
  ranks.broadcast(std::as_writable_bytes(std::span(&size, 1)));
  value.resize(static_cast<std::size_t>(size));
  ranks.broadcast(std::as_writable_bytes(std::span(value)));
}

void require_same_model(Communicator& ranks, const std::string& options, std::span<const float> probe,
                        std::string_view what) {
  const std::vector<std::string> told = ranks.all_gather(options);
  const std::vector<std::string> computed =
      ranks.all_gather(std::string_view(reinterpret_cast<const char*>(probe.data()), probe.size_bytes()));
  for (std::size_t rank = 1; rank < told.size(); ++rank) {
    if (told[rank] != told.front()) {
      throw UserError(
          fmt::format("the ranks differ: rank 0 has {}, but rank {} has {}; start all of them with the "
                      "same options and model",
                      told.front(), rank, told[rank]));
    }
    if (computed[rank] == computed.front()) continue;
    if (!alike(computed[rank], computed.front())) {
      throw UserError(fmt::format("the ranks differ: rank {} has another model than rank 0", rank));
    }
    if (!ranks.first()) continue;
    log::warning(
        fmt::format("rank {} computes other last bits than rank 0, as another kind of processor may: {} are as "
                    "exact, but not the same file as one process writes",
                    rank, what));
  }
}

}  // namespace sgpt
