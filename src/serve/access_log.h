// One line a request: never a key, never an input.
#pragma once

#include <string>

#include "serve/http.h"

namespace sgpt::serve {

/// As text, "POST /embed 200 …", or as a JSON object.
std::string access_line(const HttpHead& head, const HttpResponse& response, std::size_t bytes, double milliseconds,
                        bool json);

/// The id of a W3C traceparent; empty where it is none.
std::string trace_id(std::string_view traceparent);

}  // namespace sgpt::serve
