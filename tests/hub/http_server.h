// A small HTTP server on 127.0.0.1 for the tests of downloads: answers what a function says, and remembers who asked.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sgpt::testing {

struct ServedRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case

  /// Empty when it is not there.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct ServedAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t cut_after = std::string::npos;  // the connection breaks after so many bytes of the body
};

/// One connection at a time, one request each.
class HttpServer {
 public:
  using Handler = std::function<ServedAnswer(const ServedRequest&)>;  // called in the server's thread

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url() const;  // "http://127.0.0.1:PORT"
  std::vector<ServedRequest> requests() const;
  /// How many requests had this method and a path that ends so.
  std::size_t count(const std::string& method, const std::string& path_end) const;

 private:
  void serve();
  void answer(int connection);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::thread thread_;
};

}  // namespace sgpt::testing
