#include "text/decoder.h"

#include <cstddef>
#include <utility>

#include "base/unicode.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

std::string joined(const std::vector<std::string>& strings) {
  std::string result;
  for (const std::string& one : strings) result += one;
  return result;
}

}  // namespace

void Decoder::add_byte_level() { steps_.emplace_back(ByteLevel{}); }

void Decoder::add_replace(Normalizer replace) { steps_.emplace_back(Replace{std::move(replace)}); }

void Decoder::add_byte_fallback() { steps_.emplace_back(ByteFallback{}); }

void Decoder::add_fuse() { steps_.emplace_back(Fuse{}); }

void Decoder::add_strip(std::string content, std::uint32_t begin, std::uint32_t end) {
  steps_.emplace_back(Strip{std::move(content), begin, end});
}

void Decoder::add_metaspace(std::string sign, PrependScheme scheme) {
  steps_.emplace_back(Metaspace{std::move(sign), scheme != PrependScheme::never});
}

std::string Decoder::decode(const std::vector<std::string_view>& tokens) const {
  if (steps_.empty()) {
    std::string result;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) result.push_back(' ');
      result += tokens[i];
    }
    return result;
  }
  Strings strings(tokens.begin(), tokens.end());
  for (const Step& step : steps_) {
    std::visit([&](const auto& one) { run(one, strings); }, step);
  }
  return joined(strings);
}

void Decoder::run(const ByteLevel&, Strings& strings) {
  std::string bytes;
  for (const std::string& token : strings) append_bytes_of(token, bytes);
  strings.assign(1, lossy_utf8(bytes));
}

void Decoder::run(const Replace& step, Strings& strings) {
  Normalizer::Buffers buffers;
  for (std::string& one : strings) one = std::string(step.replace.apply(one, buffers));
}

void Decoder::run(const ByteFallback&, Strings& strings) {
  Strings result;
  std::string bytes;
  const auto put_bytes = [&] {
    if (bytes.empty()) return;
    if (invalid_utf8(bytes)) {
      result.insert(result.end(), bytes.size(), "\uFFFD");
    } else {
      result.push_back(bytes);
    }
    bytes.clear();
  };
  for (std::string& one : strings) {
    if (const auto byte = byte_of_token(one)) {
      bytes.push_back(static_cast<char>(*byte));
      continue;
    }
    put_bytes();
    result.push_back(std::move(one));
  }
  put_bytes();
  strings = std::move(result);
}

void Decoder::run(const Fuse&, Strings& strings) { strings.assign(1, joined(strings)); }

void Decoder::run(const Strip& step, Strings& strings) {
  for (std::string& one : strings) {
    std::string_view rest = one;
    for (std::uint32_t i = 0; i < step.begin && rest.starts_with(step.content); ++i) {
      rest.remove_prefix(step.content.size());
    }
    for (std::uint32_t i = 0; i < step.end && rest.ends_with(step.content); ++i) {
      rest.remove_suffix(step.content.size());
    }
    one = std::string(rest);
  }
}

void Decoder::run(const Metaspace& step, Strings& strings) {
  for (std::size_t i = 0; i < strings.size(); ++i) {
    std::string result;
    append_replaced(strings[i], step.sign, i == 0 && step.drops_first ? "" : " ", result);
    strings[i] = std::move(result);
  }
}

}  // namespace sgpt
