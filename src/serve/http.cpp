#include "serve/http.h"

#include <algorithm>
#include <atomic>
#include <random>

#include <fmt/format.h>

namespace sgpt::serve {

std::string_view HttpHead::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

Exchange::~Exchange() {
  if (!answered_ && !gone_) send_({.status = 500, .body = R"({"error":"no answer was made","error_type":"Internal"})"});
}

void Exchange::answer(HttpResponse response) {
  Send send;
  {
    const std::lock_guard lock(mutex_);
    if (answered_ || gone_) return;
    answered_ = true;
    callback_ = nullptr;
    send = std::exchange(send_, nullptr);
  }
  send(std::move(response));
}

void Exchange::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (answered_) return;
    if (!gone_) {
      callback_ = std::move(callback);
      return;
    }
  }
  callback();
}

bool Exchange::is_gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void Exchange::gone() {
  std::function<void()> callback;
  Send dropped;  // it holds the connection
  {
    const std::lock_guard lock(mutex_);
    if (answered_) return;
    gone_ = true;
    callback = std::exchange(callback_, nullptr);
    dropped = std::exchange(send_, nullptr);
  }
  if (callback) callback();
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::optional<std::string> decoded_path(std::string_view target) {
  if (lower_case(target.substr(0, 7)) == "http://") {  // the whole address, as proxies send it
    const std::size_t path = target.find('/', 7);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  target = target.substr(0, target.find_first_of("?#"));
  if (target != "*" && !target.starts_with('/')) return std::nullopt;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    if (i + 2 >= target.size() || digit(target[i + 1]) < 0 || digit(target[i + 2]) < 0) return std::nullopt;
    path += static_cast<char>(digit(target[i + 1]) * 16 + digit(target[i + 2]));
    i += 2;
  }
  return path;
}

std::string request_id(std::string_view wanted) {
  const bool sane = !wanted.empty() && wanted.size() <= 128 && std::all_of(wanted.begin(), wanted.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  });
  if (sane) return std::string(wanted);
  static const std::uint64_t start = [] {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
  }();
  static std::atomic<std::uint64_t> count = 0;
  return fmt::format("{:016x}{:08x}", start, ++count);
}

}  // namespace sgpt::serve
