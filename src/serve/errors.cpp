#include "serve/errors.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/json_string.h"

namespace sgpt::serve {
namespace {

struct Entry {
  Kind kind;
  int status;
  std::string_view name;    // TEI's error_type, and the label in logs and metrics
  std::string_view openai;  // OpenAI's type
};

constexpr std::string_view kRequest = "invalid_request_error", kServer = "server_error";
constexpr std::array kKinds{
    Entry{Kind::malformed, 400, "Malformed", kRequest},
    Entry{Kind::empty, 400, "Empty", kRequest},
    Entry{Kind::unauthorized, 401, "Unauthorized", "authentication_error"},
    Entry{Kind::not_found, 404, "NotFound", kRequest},
    Entry{Kind::method, 405, "Method", kRequest},
    Entry{Kind::timeout, 408, "Timeout", kRequest},
    Entry{Kind::too_large, 413, "TooLarge", kRequest},
    Entry{Kind::encoding, 415, "Encoding", kRequest},
    Entry{Kind::expectation, 417, "Expectation", kRequest},
    Entry{Kind::validation, 422, "Validation", kRequest},
    Entry{Kind::backend, 424, "Backend", kServer},
    Entry{Kind::overloaded, 429, "Overloaded", "rate_limit_error"},
    Entry{Kind::headers, 431, "Headers", kRequest},
    Entry{Kind::internal, 500, "Internal", kServer},
    Entry{Kind::coding, 501, "Coding", kRequest},
    Entry{Kind::unavailable, 503, "Unhealthy", kServer},
};

const Entry& entry(Kind kind) {
  return *std::find_if(kKinds.begin(), kKinds.end(), [&](const Entry& e) { return e.kind == kind; });
}

std::string quoted_or_null(std::string_view text) { return text.empty() ? "null" : json_quoted(text); }

}  // namespace

Api api_of(std::string_view path) {
  if (path == "/v1/embeddings" || path == "/embeddings" || path.starts_with("/v1/models")) return Api::openai;
  if (path == "/v1/embed" || path.starts_with("/v2/") || path == "/v1/rerank") return Api::cohere;
  if (path.starts_with("/api/")) return Api::ollama;
  return Api::tei;
}

int status_of(Kind kind) { return entry(kind).status; }
std::string_view name_of(Kind kind) { return entry(kind).name; }

Kind kind_of(int status) {
  if (status == 400) return Kind::malformed;
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Entry& e) { return e.status == status; });
  return found == kKinds.end() ? Kind::internal : found->kind;
}

HttpResponse response_of(const Failure& failure, Api api) {
  const Entry& kind = entry(failure.kind);
  HttpResponse response{.status = kind.status, .label = std::string(kind.name)};
  const std::string message = json_quoted(failure.message);
  switch (api) {
    case Api::tei: response.body = fmt::format(R"({{"error":{},"error_type":"{}"}})", message, kind.name); break;
    case Api::openai:
      response.body = fmt::format(R"({{"error":{{"message":{},"type":"{}","param":{},"code":"{}"}}}})", message,
                                  kind.openai, quoted_or_null(failure.field), kind.name);
      break;
    case Api::cohere: response.body = fmt::format(R"({{"message":{}}})", message); break;
    case Api::ollama: response.body = fmt::format(R"({{"error":{}}})", message); break;
  }
  if (failure.retry_after) response.headers.emplace_back("Retry-After", std::to_string(*failure.retry_after));
  if (!failure.allow.empty()) response.headers.emplace_back("Allow", failure.allow);
  if (failure.kind == Kind::unauthorized) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace sgpt::serve
