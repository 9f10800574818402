#include "hub/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/log.h"

namespace sgpt {
namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kLongestListing = std::size_t{64} << 20;
constexpr std::chrono::seconds kLongestWait{60};

bool is_for_the_moment(int status) { return status == 408 || status == 429 || status >= 500; }

/// "\"abc\"" and "W/\"abc\"" are abc.
std::string etag_text(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

HubListing parse_listing(const std::string& body, const std::string& url) {
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  const auto broken = [&](const char* what) {
    return MachineError(
        fmt::format("{}: the answer {}: this is no model hub, or one that speaks another language "
                    "(HF_ENDPOINT)",
                    url, what));
  };
  if (!json.is_object()) throw broken("is no JSON object");
  HubListing listing;
  const auto sha = json.find("sha");
  if (sha == json.end() || !sha->is_string()) throw broken("holds no commit (\"sha\")");
  listing.commit = sha->get<std::string>();
  if (!is_plain_name(listing.commit)) throw broken("names a commit (\"sha\") that is none");
  const auto siblings = json.find("siblings");
  if (siblings == json.end() || !siblings->is_array()) throw broken("holds no list of files (\"siblings\")");
  for (const auto& sibling : *siblings) {
    const auto name = sibling.is_object() ? sibling.find("rfilename") : sibling.end();
    if (name == sibling.end() || !name->is_string()) throw broken("lists a file without a name (\"rfilename\")");
    listing.files.push_back(name->get<std::string>());
  }
  return listing;
}

/// Where the bytes of a partial answer begin: "bytes 100-199/200" is 100.
std::optional<std::int64_t> range_begin(const HttpResponse& response) {
  const std::string* text = response.header("content-range");
  if (!text || !text->starts_with("bytes ")) return std::nullopt;
  std::int64_t begin = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data() + 6, end, begin);
  if (error != std::errc{} || stop == end || *stop != '-') return std::nullopt;
  return begin;
}

}  // namespace

void Retry::wait_after(const NetworkError& error) {
  ++failures_;
  if (failures_ >= options_.attempts) {
    throw NetworkError(
        fmt::format("{} (tried {} times; what was downloaded is kept, and the same command goes on from "
                    "there)",
                    error.what(), failures_));
  }
  constexpr int kMostDoublings = 6;
  const auto delay = options_.retry_delay * (1 << std::min(failures_ - 1, kMostDoublings));
  const auto wait = std::max<std::chrono::milliseconds>(delay, std::min(error.wait(), kLongestWait));
  log::warning(fmt::format("{}; trying again in {:.1f} s", error.what(), static_cast<double>(wait.count()) / 1000));
  std::this_thread::sleep_for(wait);
}

HubClient::HubClient(const HubOptions& options, const HubName& name)
    : options_(options), name_(name), http_(options.stall_limit) {
  if (options.endpoint.starts_with("http://") || options.endpoint.starts_with("https://")) return;
  throw UserError(fmt::format("HF_ENDPOINT: '{}' is no address of a model hub; expected http://… or https://…",
                              printable(options.endpoint)));
}

std::string HubClient::file_url(const std::string& commit, const std::string& file) const {
  return fmt::format("{}/{}/resolve/{}/{}", options_.endpoint, name_.id, commit, percent_encoded(file));
}

HttpResponse HubClient::follow(HttpRequest request, bool stop_at_others) {
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    const bool at_home = same_origin(request.url, options_.endpoint);
    request.token = at_home ? options_.token : std::string();
    HttpResponse response = http_.send(request);
    if (!response.is_redirect()) return response;
    std::string target = redirect_target(response);
    if (stop_at_others && !same_origin(target, options_.endpoint)) return response;
    request.url = std::move(target);
  }
  throw MachineError(fmt::format("{}: is redirected more than {} times", printable(request.url), kMostRedirects));
}

void HubClient::refuse_access(const HttpResponse& response) const {
  const std::string* code = response.header("x-error-code");
  const std::string who = fmt::format("{}: {} answers {}", name_.text(), options_.endpoint, response.status);
  if (code && *code == "GatedRepo") {
    throw UserError(
        fmt::format("{}: its terms have to be accepted first, at {}/{}; then set HF_TOKEN to a token of the "
                    "account that accepted them",
                    who, options_.endpoint, name_.id));
  }
  if (options_.token.empty()) {
    throw UserError(
        fmt::format("{}: there is no such model, or it needs an access token: check the name, set HF_TOKEN to "
                    "a token that may read it, and accept the model's terms if it has any",
                    who));
  }
  throw UserError(
      fmt::format("{}: there is no such model, or the token in HF_TOKEN may not read it: check both, and "
                  "accept the model's terms if it has any",
                  who));
}

void HubClient::require_success(const HttpResponse& response, const std::string& what) const {
  const int status = response.status;
  if (status == 200 || status == 206 || response.is_redirect()) return;
  if (is_for_the_moment(status)) {
    throw NetworkError(fmt::format("{}: the server answers {}", printable(response.url), status),
                       std::chrono::seconds(std::min<std::int64_t>(response.integer("retry-after").value_or(0), 3600)));
  }
  if ((status == 401 || status == 403) && same_origin(response.url, options_.endpoint)) refuse_access(response);
  // A storage host's refusal is about the signature in the address that the hub gave, which runs out: a new one helps.
  if (status == 401 || status == 403) {
    throw NetworkError(fmt::format("{}: the storage behind the hub answers {}", name_.text(), status));
  }
  if (status == 404 || status == 410) {
    throw UserError(fmt::format("{}: {} has no {} (it answers {}), and there is no folder of that name", name_.text(),
                                options_.endpoint, what, status));
  }
  throw MachineError(fmt::format("{}: the server answers {}; expected 200", printable(response.url), status));
}

HubListing HubClient::list() {
  HttpRequest request;
  request.url =
      fmt::format("{}/api/models/{}/revision/{}", options_.endpoint, name_.id, percent_encoded(name_.revision, true));
  const std::string url = request.url;
  std::string body;
  request.sink = [&](const HttpResponse& response, std::string_view bytes) {
    if (response.status != 200) return;
    if (body.size() + bytes.size() > kLongestListing) throw MachineError(url + ": the answer is longer than 64 MiB");
    body += bytes;
  };
  for (Retry retry(options_);;) {
    try {
      body.clear();
      require_success(follow(request, false), fmt::format("such model, or no revision {}", name_.revision));
      return parse_listing(body, url);
    } catch (const NetworkError& error) {
      retry.wait_after(error);
    }
  }
}

HubFile HubClient::describe(const std::string& commit, const std::string& file) {
  HttpRequest request;
  request.url = file_url(commit, file);
  request.head_only = true;
  for (Retry retry(options_);;) {
    try {
      const HttpResponse response = follow(request, true);
      require_success(response, fmt::format("file {}", printable(file)));
      const std::string* linked = response.header("x-linked-etag");
      const std::string* plain = response.header("etag");
      HubFile result{file, linked ? etag_text(*linked) : plain ? etag_text(*plain) : "", std::nullopt};
      if (!is_plain_name(result.etag)) {
        throw MachineError(
            fmt::format("{}: the server gives no ETag that could name the file's content", printable(response.url)));
      }
      if (const std::string* other = response.header("x-repo-commit"); other && *other != commit) {
        throw MachineError(
            fmt::format("{}: the server answers for commit {}", printable(response.url), printable(*other)));
      }
      result.size = response.integer("x-linked-size");
      // A redirect's own length is that of a text for people.
      if (!result.size && !response.is_redirect()) result.size = response.integer("content-length");
      return result;
    } catch (const NetworkError& error) {
      retry.wait_after(error);
    }
  }
}

void HubClient::read(const std::string& commit, const std::string& file, std::int64_t from,
                     const std::function<void(std::int64_t)>& begin,
                     const std::function<void(std::string_view)>& write) {
  bool begun = false;
  const auto begin_once = [&](const HttpResponse& response) {
    if (std::exchange(begun, true)) return;
    const auto start = response.status == 206 ? range_begin(response) : 0;
    if (start != from && start != 0) {
      throw MachineError(fmt::format("{}: asked for the bytes from {} on, the server answers with others",
                                     printable(response.url), from));
    }
    begin(*start);
  };
  HttpRequest request;
  request.url = file_url(commit, file);
  request.from = from;
  request.sink = [&](const HttpResponse& response, std::string_view bytes) {
    if (response.status != 200 && response.status != 206) return;
    begin_once(response);
    write(bytes);
  };
  const HttpResponse response = follow(request, false);
  if (response.status == 416 && from > 0) {  // what is there is not the beginning of this file
    begin(0);
    throw NetworkError(fmt::format("{}: the server can't go on from byte {}", printable(response.url), from));
  }
  require_success(response, fmt::format("file {}", printable(file)));
  begin_once(response);  // an empty file has no bytes
}

}  // namespace sgpt
