#include "hub/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>

namespace sgpt::testing {
namespace {

ServedRequest parse(const std::string& text) {
  ServedRequest request;
  std::istringstream stream(text);
  stream >> request.method >> request.path;
  std::string line;
  std::getline(stream, line);
  while (std::getline(stream, line)) {
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto begin = line.find_first_not_of(' ', colon + 1);
    const auto end = line.find_last_not_of(" \r");
    request.headers[name] = begin == line.npos || end < begin ? "" : line.substr(begin, end - begin + 1);
  }
  return request;
}

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the client went away: it is the test's business why
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  constexpr int kWaiting = 16;
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, kWaiting) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("no server can be started on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept
  thread_.join();
  ::close(listener_);
}

std::string HttpServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

std::vector<ServedRequest> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t HttpServer::count(const std::string& method, const std::string& path_end) const {
  const auto all = requests();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const ServedRequest& request) {
    return request.method == method && request.path.ends_with(path_end);
  }));
}

void HttpServer::serve() {
  for (;;) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    answer(connection);
    ::shutdown(connection, SHUT_RDWR);
    ::close(connection);
  }
}

void HttpServer::answer(int connection) {
  std::string text;
  char block[4096];
  while (text.find("\r\n\r\n") == text.npos) {
    const ssize_t got = ::recv(connection, block, sizeof(block), 0);
    if (got <= 0) return;
    text.append(block, static_cast<std::size_t>(got));
  }
  const ServedRequest request = parse(text);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const ServedAnswer answer = handler_(request);
  std::string head = fmt::format("HTTP/1.1 {} Answer\r\nConnection: close\r\nContent-Length: {}\r\n", answer.status,
                                 answer.body.size());
  for (const auto& [name, value] : answer.headers) head += fmt::format("{}: {}\r\n", name, value);
  send_all(connection, head + "\r\n");
  if (request.method != "HEAD") send_all(connection, std::string_view(answer.body).substr(0, answer.cut_after));
}

}  // namespace sgpt::testing
