// The HTTP server: connections, time limits and sizes, one I/O thread. It knows no route and no model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "serve/http.h"
#include "serve/request_limits.h"

namespace sgpt::serve {

struct HttpOptions {
  std::string hostname = "127.0.0.1";
  std::uint16_t port = 3000;  ///< 0: any that is free
  RequestLimits limits = {};
};

struct ConnectionCounts {
  std::size_t open = 0;  ///< all
  std::size_t busy = 0;  ///< with a request that has no answer yet
};

/// Thread-safe.
class HttpServer {
 public:
  /// Takes the port. Throws UserError when it cannot: no such address, port taken, not allowed. The handler must
  /// outlive the server.
  HttpServer(const HttpOptions& options, HttpHandler& handler);
  /// Closes every connection at once.
  ~HttpServer();

  /// Answers from now on; who connected before waited.
  void start();

  std::uint16_t port() const;
  ConnectionCounts connections() const;
  /// No new connection from now on; those that are idle are closed, the others with their answer.
  void stop_accepting();

  struct Parts;

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace sgpt::serve
