#include "serve/access_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_string.h"
#include "text/utf8.h"

namespace sgpt::serve {
namespace {

/// A client's words on one line, and not longer than they need to be.
std::string plain(std::string_view text) {
  std::string result = lossy_utf8(text.substr(0, 200));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return result;
}

}  // namespace

std::string trace_id(std::string_view traceparent) {
  const auto is_hex = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  };
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return {};
  const std::string_view id = traceparent.substr(3, 32);
  return is_hex(id) && id.find_first_not_of('0') != std::string_view::npos ? std::string(id) : std::string();
}

std::string access_line(const HttpHead& head, const HttpResponse& response, std::size_t bytes, double milliseconds,
                        bool json) {
  const std::string trace = trace_id(head.header("traceparent"));
  if (!json) {
    std::string line = fmt::format("{} {} {}", head.method.empty() ? "?" : plain(head.method),
                                   head.path.empty() ? "?" : plain(head.path), response.status);
    if (response.status >= 400 && !response.label.empty()) line += " " + response.label;
    for (const auto& [name, value] : response.notes) {
      const std::string_view quote = value.find(' ') == std::string::npos ? "" : "\"";
      line += fmt::format(" {}={}{}{}", name, quote, plain(value), quote);
    }
    line += fmt::format(" ms={:.1f} bytes={} peer={} id={}", milliseconds, bytes, head.peer, head.id);
    if (!trace.empty()) line += " trace=" + trace;
    return line;
  }
  std::string line = fmt::format(R"({{"method":{},"path":{},"status":{})", json_quoted(plain(head.method)),
                                 json_quoted(plain(head.path)), response.status);
  if (response.status >= 400 && !response.label.empty()) line += ",\"error\":" + json_quoted(response.label);
  for (const auto& [name, value] : response.notes)
    line += fmt::format(",{}:{}", json_quoted(name), json_quoted(plain(value)));
  line += fmt::format(R"(,"ms":{:.1f},"bytes":{},"peer":{},"id":{})", milliseconds, bytes, json_quoted(head.peer),
                      json_quoted(head.id));
  if (!trace.empty()) line += ",\"trace\":" + json_quoted(trace);
  return line + "}";
}

}  // namespace sgpt::serve
