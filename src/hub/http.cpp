#include "hub/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>
#include <new>
#include <tuple>

#include "hub/names.h"

namespace sgpt {
namespace {

constexpr long kConnectSeconds = 20;
constexpr long kBufferSize = 512L << 10;
constexpr std::size_t kMostHeaders = 500;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

/// What the callbacks of one request share.
struct Transfer {
  const HttpRequest& request;
  HttpResponse response;
  std::exception_ptr failure;  // thrown by the sink; it must not fly through C
};

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

void read_status(std::string_view line, HttpResponse& response) {
  response.headers.clear();  // an answer "100 Continue" may have come before
  response.status = 0;
  const std::size_t space = line.find(' ');
  if (space == line.npos) return;
  const std::string_view code = line.substr(space + 1, 3);
  std::from_chars(code.data(), code.data() + code.size(), response.status);
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& response = static_cast<Transfer*>(user)->response;
  const std::string_view line(data, size);
  try {
    if (line.starts_with("HTTP/")) {
      read_status(line, response);
    } else if (const std::size_t colon = line.find(':'); colon != line.npos && response.headers.size() < kMostHeaders) {
      std::string name(line.substr(0, colon));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      response.headers[name] = trimmed(line.substr(colon + 1));
    }
  } catch (...) {
    static_cast<Transfer*>(user)->failure = std::current_exception();
    return 0;
  }
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    if (transfer.request.sink) transfer.request.sink(transfer.response, {data, size});
  } catch (...) {
    transfer.failure = std::current_exception();
    return 0;
  }
  return size;
}

void require_token_text(const std::string& token) {
  const auto is_graph = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (std::all_of(token.begin(), token.end(), is_graph)) return;
  throw UserError("The hub token (HF_TOKEN or its file) holds blanks or other characters that no token has");
}

/// Sets everything but the handle's connections, which are kept.
void prepare(CURL* handle, const HttpRequest& request, Transfer& transfer, const curl_slist* headers, long stall) {
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "sgpt");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, stall);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kBufferSize);
  curl_easy_setopt(handle, CURLOPT_NOBODY, request.head_only ? 1L : 0L);
  if (request.from > 0) curl_easy_setopt(handle, CURLOPT_RANGE, fmt::format("{}-", request.from).c_str());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
}

HeaderList header_list(const HttpRequest& request) {
  // Compressed on the way, sizes and offsets would not be those of the file.
  HeaderList list(curl_slist_append(nullptr, "Accept-Encoding: identity"), curl_slist_free_all);
  if (list && !request.token.empty()) {
    const std::string line = "Authorization: Bearer " + request.token;
    if (!curl_slist_append(list.get(), line.c_str())) throw std::bad_alloc();
  }
  if (!list) throw std::bad_alloc();
  return list;
}

[[noreturn]] void fail(CURLcode code, const std::string& url) {
  const std::string sentence = fmt::format("{}: {}", printable(url), curl_easy_strerror(code));
  switch (code) {
    case CURLE_OUT_OF_MEMORY: throw std::bad_alloc();
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      throw UserError(fmt::format("{}; expected an http or https address (HF_ENDPOINT)", sentence));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: throw MachineError(sentence);
    default: throw NetworkError(sentence);
  }
}

Url parsed(const std::string& url) {
  Url result(curl_url(), curl_url_cleanup);
  if (!result) throw std::bad_alloc();
  if (curl_url_set(result.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    throw UserError(fmt::format("{}: is no address; expected http://… or https://…", printable(url)));
  }
  return result;
}

/// In lower case; empty when there is none.
std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

auto origin(const std::string& text) {
  const Url url = parsed(text);
  std::string host = part(url, CURLUPART_HOST);
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::tuple(part(url, CURLUPART_SCHEME), host, part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

}  // namespace

const std::string* HttpResponse::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> HttpResponse::integer(std::string_view name) const {
  const std::string* text = header(name);
  std::int64_t value = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < 0) return std::nullopt;
  return value;
}

bool HttpResponse::is_redirect() const {
  return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) && header("location");
}

struct HttpClient::Impl {
  Handle handle;
  long stall_seconds;
};

HttpClient::HttpClient(std::chrono::seconds stall_limit) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  impl_ = std::make_unique<Impl>(
      Impl{Handle(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup), long{stall_limit.count()}});
  if (!impl_->handle) throw MachineError("libcurl can't be started on this machine");
}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request) {
  require_token_text(request.token);
  Transfer transfer{request, {}, nullptr};
  transfer.response.url = request.url;
  const HeaderList headers = header_list(request);
  CURL* handle = impl_->handle.get();
  prepare(handle, request, transfer, headers.get(), impl_->stall_seconds);
  const CURLcode code = curl_easy_perform(handle);
  if (transfer.failure) std::rethrow_exception(transfer.failure);
  if (code != CURLE_OK) fail(code, request.url);
  return std::move(transfer.response);
}

std::string redirect_target(const HttpResponse& response) {
  const Url url = parsed(response.url);
  const std::string& location = *response.header("location");
  // Set over an address, a relative one is resolved against it.
  const bool fine = curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) == CURLUE_OK;
  const std::string scheme = fine ? part(url, CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    throw MachineError(fmt::format("{}: leads on to '{}', which is no http or https address", printable(response.url),
                                   printable(location)));
  }
  return part(url, CURLUPART_URL);
}

bool same_origin(const std::string& url, const std::string& other) { return origin(url) == origin(other); }

std::string percent_encoded(std::string_view text, bool slash_too) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte < 0x80 && std::isalnum(byte)) || c == '-' || c == '_' || c == '.' || c == '~';
    if (plain || (c == '/' && !slash_too)) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", byte);
    }
  }
  return result;
}

}  // namespace sgpt
