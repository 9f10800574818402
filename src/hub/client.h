// What is asked of a hub: the commit and the files of a model, a file's size and checksum, its bytes. Failures of the
// network are tried again; the hub's refusals become sentences.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/http.h"
#include "hub/hub.h"
#include "hub/names.h"

namespace sgpt {

struct HubListing {
  std::string commit;
  std::vector<std::string> files;  ///< as the server says: not to be trusted
};

struct HubFile {
  std::string name;
  std::string etag;                  ///< a plain name
  std::optional<std::int64_t> size;  ///< bytes
};

/// Waits longer before each further attempt, and gives up in the end.
class Retry {
 public:
  explicit Retry(const HubOptions& options) : options_(options) {}
  /// Waits, or throws a NetworkError that says how often it was tried.
  void wait_after(const NetworkError& error);
  void progress_made() { failures_ = 0; }

 private:
  const HubOptions& options_;
  int failures_ = 0;
};

class HubClient {
 public:
  /// `options` and `name` must outlive the client. Throws UserError when the endpoint is no http or https address.
  HubClient(const HubOptions& options, const HubName& name);

  HubListing list();
  HubFile describe(const std::string& commit, const std::string& file);

  /// One attempt: the bytes from offset `from` on. `begin` is called before the first of them with the offset at which
  /// they really begin (0 from a server that can't resume). Throws NetworkError when it breaks off.
  void read(const std::string& commit, const std::string& file, std::int64_t from,
            const std::function<void(std::int64_t)>& begin, const std::function<void(std::string_view)>& write);

 private:
  /// Follows redirects, the token going no further than the endpoint. Where another host is led to, `stop_at_others`
  /// returns the redirect itself.
  HttpResponse follow(HttpRequest request, bool stop_at_others);
  void require_success(const HttpResponse& response, const std::string& what) const;
  [[noreturn]] void refuse_access(const HttpResponse& response) const;
  std::string file_url(const std::string& commit, const std::string& file) const;

  const HubOptions& options_;
  const HubName& name_;
  HttpClient http_;
};

}  // namespace sgpt
