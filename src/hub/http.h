// HTTP requests, one at a time, over connections that are kept; redirects are left to the caller, who decides where a
// token may go. (libcurl.)
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sgpt/error.h"

namespace sgpt {

/// A failure that may be over the next time: no connection, one that broke, a server too busy.
class NetworkError : public MachineError {
 public:
  explicit NetworkError(const std::string& sentence, std::chrono::seconds wait = std::chrono::seconds{0})
      : MachineError(sentence), wait_(wait) {}
  /// What the server asked to be left alone for.
  std::chrono::seconds wait() const { return wait_; }

 private:
  std::chrono::seconds wait_;
};

struct HttpResponse {
  std::string url;  ///< that was asked
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  ///< names in lower case

  /// Null when it is not there.
  const std::string* header(std::string_view name) const;
  std::optional<std::int64_t> integer(std::string_view name) const;
  bool is_redirect() const;
};

/// Gets the body, piece by piece; what it throws comes out of send().
using BodySink = std::function<void(const HttpResponse& response, std::string_view bytes)>;

struct HttpRequest {
  std::string url;
  bool head_only = false;  ///< HEAD instead of GET
  std::string token;       ///< "Authorization: Bearer …"; empty: none
  std::int64_t from = 0;   ///< above 0: only the bytes from there on ("Range")
  BodySink sink;
};

class HttpClient {
 public:
  explicit HttpClient(std::chrono::seconds stall_limit);
  ~HttpClient();

  /// Any status is an answer. Throws NetworkError when none came or it broke off, UserError when the address is wrong.
  HttpResponse send(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where a redirect leads, in full. Throws MachineError when that is no http or https address.
std::string redirect_target(const HttpResponse& response);

/// Same scheme, host and port: a token for the one may be sent to the other.
bool same_origin(const std::string& url, const std::string& other);

/// For use in an address; '/' stays unless `slash_too`.
std::string percent_encoded(std::string_view text, bool slash_too = false);

}  // namespace sgpt
