// A model hub with one model, org/model, that can be made to misbehave; and a second host for its large files.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hub/http_server.h"
#include "hub/hub.h"
#include "temp_folder.h"

namespace sgpt::testing {

inline const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

std::string sha256(const std::string& content);
std::string git_blob_sha1(const std::string& content);

class FakeHub {
 public:
  FakeHub();

  /// Called first; what it answers is the answer. May be set before the first request only.
  std::function<std::optional<ServedAnswer>(const ServedRequest&)> interfere;

  std::string commit = kCommit;
  std::map<std::string, std::string> files;  // name → content
  std::map<std::string, std::string> etags;  // where they shall not be the true ones

  HubOptions options() const;  // fresh cache, this hub, no patience
  const std::filesystem::path& cache() const { return cache_.path(); }
  std::filesystem::path model_folder() const { return cache_.path() / "models--org--model"; }
  std::filesystem::path snapshot() const { return model_folder() / "snapshots" / commit; }
  std::filesystem::path blob(const std::string& file) const { return model_folder() / "blobs" / etag(file); }
  std::filesystem::path incomplete(const std::string& file) const;

  HttpServer& server() { return *server_; }
  HttpServer& storage() { return *storage_; }

 private:
  ServedAnswer answer(const ServedRequest& request) const;
  ServedAnswer listing() const;
  ServedAnswer store(const ServedRequest& request) const;
  std::string etag(const std::string& file) const;

  TempFolder cache_;
  std::unique_ptr<HttpServer> storage_;  // gone last
  std::unique_ptr<HttpServer> server_;
};

/// The answer that serves a file as asked, from the byte that "Range" names.
ServedAnswer file_answer(const ServedRequest& request, const std::string& content);

std::string content_of(const std::filesystem::path& path);

}  // namespace sgpt::testing
