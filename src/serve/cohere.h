// The shapes of Cohere's interface, the old one and the new.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/embed_request.h"

namespace sgpt::serve::cohere {

struct Request {
  EmbedRequest embed;
  std::vector<std::string_view> types = {};  ///< empty: the plain list of numbers, as the old route gives it
  bool old = false;                          ///< of /v1/embed
};

/// Of /v2/embed and /v1/embed. Throws Failure.
Request read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules, bool old);
std::string embeddings(const Request& request, const EmbedAnswer& answer, const std::string& id);

/// A row's numbers as bytes: scaled so that the largest is 127, which cosines do not see.
std::vector<std::int8_t> as_int8(std::span<const float> row);
/// Signs, eight numbers a byte, the first one highest.
std::vector<std::uint8_t> as_bits(std::span<const float> row);

}  // namespace sgpt::serve::cohere
