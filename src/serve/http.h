// HTTP in types of our own: a request, its answer, and who answers. No header of the HTTP library comes with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sgpt::serve {

struct HttpHead {
  std::string method;  ///< as sent, such as "POST"
  std::string path;    ///< percent-decoded, without the query: "/v1/models/a:query"
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< names in lower case
  std::string id;                                   ///< x-request-id: the client's own where it is sane, else a new one
  std::string peer;                                 ///< address and port
  bool first = true;                                ///< of its connection
  std::chrono::steady_clock::time_point arrived{};  ///< its head was read

  /// The first header of that name (in lower case); empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpRequest {
  HttpHead head;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::vector<std::pair<std::string, std::string>> notes = {};  ///< for the log: "inputs" "3"
  std::string label = {};  ///< for the log and metrics: the route, or the kind of failure
  bool close = false;      ///< the connection is of no use any more
};

/// One request and its one answer. Thread-safe.
class Exchange {
 public:
  using Send = std::function<void(HttpResponse)>;
  Exchange(HttpRequest request, Send send) : request_(std::move(request)), send_(std::move(send)) {}
  /// Who forgets to answer has a bug: the client gets a 500.
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HttpRequest& request() const { return request_; }
  /// The body can be let go of when it was read.
  void drop_body() { std::string().swap(request_.body); }
  /// Once; later calls do nothing.
  void answer(HttpResponse response);
  /// To be called when the client goes away before it has its answer; at once where it has gone.
  void on_gone(std::function<void()> callback);
  bool is_gone() const;

  void gone();  ///< the connection's

 private:
  HttpRequest request_;
  Send send_;
  mutable std::mutex mutex_;
  bool answered_ = false, gone_ = false;
  std::function<void()> callback_;
};

/// Called on the server's I/O thread: must not block, and not throw.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// Before the body is read: an answer where there is no need to read it (no such route, wrong key).
  virtual std::optional<HttpResponse> screen(const HttpHead& head) = 0;
  virtual void handle(std::shared_ptr<Exchange> exchange) = 0;
  /// The answer to what HTTP itself does not allow; `head` is empty where not even that was understood.
  virtual HttpResponse failure(const HttpHead& head, int status, const std::string& sentence) = 0;
  /// The answer went out: `bytes` of it.
  virtual void answered(const HttpHead& head, const HttpResponse& response, std::size_t bytes) = 0;
};

/// A path as it stands in a request line, without its query and percent-decoded; nothing where it is malformed.
std::optional<std::string> decoded_path(std::string_view target);

/// The client's own id where it is short and plain, else a new one.
std::string request_id(std::string_view wanted);

std::string lower_case(std::string_view text);

}  // namespace sgpt::serve
