// What can go wrong with a request, in one table: kinds, their statuses, and the shape in which each interface tells
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http.h"

namespace sgpt::serve {

enum class Kind {
  malformed,
  empty,
  unauthorized,
  not_found,
  method,
  timeout,
  too_large,
  encoding,  ///< of the body, which is not understood
  expectation,
  validation,
  backend,
  overloaded,
  headers,
  internal,
  coding,  ///< of the transfer
  unavailable,
};

/// Thrown by whatever reads or answers a request.
struct Failure {
  Kind kind = Kind::internal;
  std::string message = {};
  std::string field = {};                        ///< of the request, where it is one's
  std::optional<std::int64_t> retry_after = {};  ///< seconds
  std::string allow = {};                        ///< the methods that there are
};

/// Whose shapes a route speaks.
enum class Api { tei, openai, cohere, ollama };
Api api_of(std::string_view path);

int status_of(Kind kind);
std::string_view name_of(Kind kind);
/// The kind that has a status; internal for others.
Kind kind_of(int status);

HttpResponse response_of(const Failure& failure, Api api);

}  // namespace sgpt::serve
