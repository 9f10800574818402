#include "hub/checksum.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "hub/names.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kSha1Digits = 40;
constexpr std::size_t kSha256Digits = 64;
constexpr std::int64_t kSlowToCheck = std::int64_t{2} << 30;  // bytes whose checksum takes seconds
constexpr std::size_t kBlock = std::size_t{1} << 20;

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(context_ && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1);
  }

  void add(const void* data, std::size_t size) { check(EVP_DigestUpdate(context_.get(), data, size) == 1); }

  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes, &size) == 1);
    std::string result;
    for (unsigned int i = 0; i < size; ++i) result += fmt::format("{:02x}", bytes[i]);
    return result;
  }

 private:
  static void check(bool fine) {
    if (!fine) throw MachineError("OpenSSL on this machine can't compute a SHA-1 or SHA-256 checksum");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

bool is_checksum(std::string_view etag) { return is_hex(etag, kSha1Digits) || is_hex(etag, kSha256Digits); }

std::string file_checksum(const std::filesystem::path& path, std::string_view etag) {
  const bool git_blob = etag.size() == kSha1Digits;
  Digest digest(git_blob ? EVP_sha1() : EVP_sha256());
  if (git_blob) {
    const std::string head = fmt::format("blob {}", files::size(path));
    digest.add(head.c_str(), head.size() + 1);  // the zero byte at the end belongs to it
  }
  File file = File::open(path, O_RDONLY, "cannot be read to check it");
  std::vector<std::byte> block(kBlock);
  while (const std::size_t got = file.read_some(block)) digest.add(block.data(), got);
  return digest.hex();
}

std::optional<std::string> content_fault(const std::filesystem::path& path, const std::string& name,
                                         std::optional<std::int64_t> size, const std::string& etag) {
  const auto found_size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  if (size && found_size != *size) return fmt::format("has {} bytes; the hub's has {}", found_size, *size);
  if (!is_checksum(etag)) return std::nullopt;  // such a name says nothing about the content
  if (found_size >= kSlowToCheck) log::info(fmt::format("Checking {}", name));
  std::string expected = etag;
  std::transform(expected.begin(), expected.end(), expected.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string found = file_checksum(path, expected);
  if (found == expected) return std::nullopt;
  return fmt::format("has the checksum {}; the hub's has {}", found, expected);
}

}  // namespace sgpt
