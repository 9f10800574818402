// A client for tests that can also misbehave: it sends whatever bytes a test wants, when it wants.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http.h"

namespace sgpt::serve::testing {

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void shut_down_sending() { ::shutdown(socket_, SHUT_WR); }

  /// False when the server closed meanwhile.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// More bytes into the buffer; false at the end of the connection, or when none came in time.
  bool receive(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return false;
    char bytes[65536];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    ended_ = count <= 0;
    if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
  }

  /// Whether the server closes the connection in time.
  bool ends(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!ended_ && std::chrono::steady_clock::now() < until) receive(patience);
    return ended_;
  }

  /// The next answer, of status 0 when none comes; interim ones (100) are answers too. `bodiless`: to a HEAD.
  Reply reply(std::chrono::milliseconds patience = std::chrono::seconds(20), bool bodiless = false) {
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive(patience)) return {};
    }
    Reply reply;
    const std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    reply.status = std::atoi(head.c_str() + 9);
    std::size_t line = head.find("\r\n") + 2;
    while (line < head.size()) {
      const std::size_t next = head.find("\r\n", line), colon = head.find(':', line);
      reply.headers[lower_case(head.substr(line, colon - line))] = head.substr(colon + 2, next - colon - 2);
      line = next + 2;
    }
    const auto length = static_cast<std::size_t>(std::atoll(reply.header("content-length").c_str()));
    if (bodiless) return reply;
    while (buffer_.size() < length) {
      if (!receive(patience)) return {};
    }
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return reply;
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  static std::string request(std::string_view method, std::string_view path, std::string_view body = {},
                             const Headers& headers = {}) {
    std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n";
    for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + std::string(body);
  }

  /// Asks and waits for the answer; status 0 when none came.
  Reply post(std::string_view path, std::string_view body, const Headers& headers = {}) {
    send(request("POST", path, body, headers));
    return reply();
  }
  Reply get(std::string_view path, const Headers& headers = {}) {
    send(request("GET", path, {}, headers));
    return reply();
  }

 private:
  int socket_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace sgpt::serve::testing
