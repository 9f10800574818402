#include "encode/pair_ids.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {

PairIds::PairIds(Tokenizer tokenizer, std::string_view text_template, std::int64_t max_length)
    : tokenizer_(std::move(tokenizer)), max_length_(max_length) {
  constexpr std::string_view kDocument = "{}";
  if (const auto byte = invalid_utf8(text_template)) {
    throw UserError(fmt::format("the template is no valid UTF-8 at byte {}", *byte));
  }
  const std::size_t place = text_template.find(kDocument);
  if (place == std::string_view::npos) {
    throw UserError("the template has no {} in it, which says where the document goes");
  }
  before_ = text_template.substr(0, place);
  behind_ = text_template.substr(place + kDocument.size());
  instruction_ = static_cast<std::int64_t>(tokenizer_.encode(before_).size());
}

TokenIds PairIds::context(std::string_view document) const {
  TokenIds ids = tokenizer_.encode(fmt::format("{}{}{}", before_, document, behind_));
  if (ids.empty()) throw UserError("template and document have no token, so there is nothing before the query");
  return ids;
}

TokenIds PairIds::query(std::string_view query) const {
  TokenIds ids = tokenizer_.encode(query);
  if (ids.empty()) throw UserError("the query has no token, so there is nothing whose probability could be told");
  const std::int64_t most = std::min(max_length_, room());
  if (std::ssize(ids) > most) {
    throw UserError(
        fmt::format("the query has {} tokens, but there is room for {}: the model sees {}{}", ids.size(),
                    std::max<std::int64_t>(most, 0), max_length_,
                    instruction_ > 0 ? fmt::format(", and the template begins with {}", instruction_) : ""));
  }
  return ids;
}

std::int64_t PairIds::to_drop(const TokenIds& context, const TokenIds& query) const {
  const std::int64_t behind_instruction = std::max<std::int64_t>(0, std::ssize(context) - instruction_);
  return std::max<std::int64_t>(0, behind_instruction + std::ssize(query) - room());
}

TokenIds PairIds::cut(const TokenIds& context, std::int64_t drop) const {
  TokenIds ids = context;
  const auto first = ids.begin() + std::min<std::ptrdiff_t>(instruction_, std::ssize(ids));
  ids.erase(first, first + drop);
  return ids;
}

}  // namespace sgpt
