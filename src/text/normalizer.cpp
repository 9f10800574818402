#include "text/normalizer.h"

#include <cstddef>
#include <utility>

#include "text/nfc.h"

namespace sgpt {

void Normalizer::add_nfc() { steps_.emplace_back(Nfc{}); }

void Normalizer::add_prepend(std::string prefix) { steps_.emplace_back(Prepend{std::move(prefix)}); }

void Normalizer::add_replace(std::string literal, std::string content) {
  steps_.emplace_back(ReplaceLiteral{std::move(literal), std::move(content)});
}

void Normalizer::add_replace(Regex pattern, std::string content) {
  steps_.emplace_back(ReplaceMatches{std::move(pattern), std::move(content)});
}

std::string_view Normalizer::apply(std::string_view text, Buffers& buffers) const {
  std::size_t free = 0;  // the buffer that the text is not in
  for (const Step& step : steps_) {
    const std::string_view result = std::visit([&](const auto& one) { return run(one, text, buffers[free]); }, step);
    if (result.data() == buffers[free].data()) free = 1 - free;
    text = result;
  }
  return text;
}

std::string_view Normalizer::run(const Nfc&, std::string_view text, std::string& buffer) {
  return to_nfc(text, buffer);
}

std::string_view Normalizer::run(const Prepend& step, std::string_view text, std::string& buffer) {
  if (text.empty()) return text;
  buffer.assign(step.prefix).append(text);
  return buffer;
}

std::string_view Normalizer::run(const ReplaceLiteral& step, std::string_view text, std::string& buffer) {
  if (text.find(step.literal) == std::string_view::npos) return text;
  buffer.clear();
  append_replaced(text, step.literal, step.content, buffer);
  return buffer;
}

std::string_view Normalizer::run(const ReplaceMatches& step, std::string_view text, std::string& buffer) {
  buffer.clear();
  std::size_t done = 0;
  step.pattern.for_each_match(text, [&](std::size_t begin, std::size_t end) {
    buffer += text.substr(done, begin - done);
    buffer += step.content;
    done = end;
    return true;
  });
  buffer += text.substr(done);
  return buffer;
}

void append_replaced(std::string_view text, std::string_view literal, std::string_view content, std::string& result) {
  std::size_t done = 0;
  for (std::size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, done)) {
    result += text.substr(done, at - done);
    result += content;
    done = at + literal.size();
  }
  result += text.substr(done);
}

}  // namespace sgpt
