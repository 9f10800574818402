#include "hub/fake_hub.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace sgpt::testing {
namespace {

std::string digest(const EVP_MD* kind, const std::string& content) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(content.data(), content.size(), bytes, &size, kind, nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

bool is_large(const std::string& file) { return file.ends_with(".safetensors") || file.ends_with(".bin"); }

}  // namespace

std::string sha256(const std::string& content) { return digest(EVP_sha256(), content); }

std::string git_blob_sha1(const std::string& content) {
  return digest(EVP_sha1(), fmt::format("blob {}", content.size()) + '\0' + content);
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ServedAnswer file_answer(const ServedRequest& request, const std::string& content) {
  ServedAnswer answer;
  const std::string range = request.header("range");
  if (range.empty()) {
    answer.body = content;
    return answer;
  }
  const std::size_t begin = std::stoul(range.substr(std::string("bytes=").size()));
  if (begin >= content.size()) return {416, "", {}, std::string::npos};
  answer.status = 206;
  answer.body = content.substr(begin);
  answer.headers = {{"Content-Range", fmt::format("bytes {}-{}/{}", begin, content.size() - 1, content.size())}};
  return answer;
}

FakeHub::FakeHub() {
  ::setenv("no_proxy", "127.0.0.1", 1);
  files = {{"config.json", "{}"},
           {"tokenizer.json", R"({"model": {}})"},
           {"tokenizer_config.json", R"({"model_max_length": 300})"},
           {"modules.json", R"([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                               {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])"},
           {"1_Pooling/config.json", R"({"pooling_mode_weightedmean_tokens": true})"},
           {"README.md", "# A model\n"},
           {"model.safetensors", std::string(3000000, 'w') + "end"},
           {"pytorch_model.bin", "the same once more"},
           {"onnx/model.onnx", "another form"},
           {"tf_model.h5", "another form"},
           {".gitattributes", ""}};
  storage_ = std::make_unique<HttpServer>([this](const ServedRequest& request) { return store(request); });
  server_ = std::make_unique<HttpServer>([this](const ServedRequest& request) {
    const auto other = interfere ? interfere(request) : std::nullopt;
    return other ? *other : answer(request);
  });
}

HubOptions FakeHub::options() const {
  HubOptions options;
  options.cache = cache_.path();
  options.endpoint = server_->url();
  options.retry_delay = std::chrono::milliseconds(1);
  options.attempts = 3;
  return options;
}

std::string FakeHub::etag(const std::string& file) const {
  if (const auto found = etags.find(file); found != etags.end()) return found->second;
  return is_large(file) ? sha256(files.at(file)) : git_blob_sha1(files.at(file));
}

std::filesystem::path FakeHub::incomplete(const std::string& file) const { return blob(file).string() + ".incomplete"; }

ServedAnswer FakeHub::listing() const {
  std::string siblings;
  for (const auto& [name, content] : files) {
    std::string escaped;
    for (const char c : name) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
    siblings += fmt::format(R"({}{{"rfilename": "{}"}})", siblings.empty() ? "" : ", ", escaped);
  }
  ServedAnswer answer;
  answer.body = fmt::format(R"({{"id": "org/model", "sha": "{}", "siblings": [{}]}})", commit, siblings);
  return answer;
}

ServedAnswer FakeHub::answer(const ServedRequest& request) const {
  for (const std::string& revision : {std::string("main"), commit, std::string("refs%2Fpr%2F1")}) {
    if (request.path == "/api/models/org/model/revision/" + revision) return listing();
  }
  std::string file;
  for (const std::string& revision : {std::string("main"), commit}) {
    const std::string prefix = fmt::format("/org/model/resolve/{}/", revision);
    if (request.path.starts_with(prefix)) file = request.path.substr(prefix.size());
  }
  if (!files.contains(file)) return {404, "", {}, std::string::npos};
  if (is_large(file)) {
    return {302,
            "Found: elsewhere",
            {{"Location", storage_->url() + "/" + file + "?signature=1"},
             {"ETag", "\"not-this-one\""},
             {"X-Linked-Etag", fmt::format("\"{}\"", etag(file))},
             {"X-Linked-Size", std::to_string(files.at(file).size())},
             {"X-Repo-Commit", commit}},
            std::string::npos};
  }
  ServedAnswer answer = file_answer(request, files.at(file));
  answer.headers.emplace_back("ETag", fmt::format("W/\"{}\"", etag(file)));
  answer.headers.emplace_back("X-Repo-Commit", commit);
  return answer;
}

ServedAnswer FakeHub::store(const ServedRequest& request) const {
  const std::string file = request.path.substr(1, request.path.find('?') - 1);
  if (!files.contains(file)) return {404, "", {}, std::string::npos};
  return file_answer(request, files.at(file));
}

}  // namespace sgpt::testing
