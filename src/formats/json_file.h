// Small JSON files (configurations), with messages that name file and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace sgpt {

/// A JSON object from a file. The getters give nothing for a missing key or null, and throw UserError when the value is
/// of another kind.
class JsonFile {
 public:
  /// Throws UserError when the file is missing, no JSON, or no object.
  explicit JsonFile(const std::filesystem::path& path);
  JsonFile(JsonFile&&) noexcept;
  ~JsonFile();

  /// Nothing when there is no such file; UserError for a link without its target.
  static std::optional<JsonFile> if_present(const std::filesystem::path& path);

  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<std::string> string(std::string_view key) const;

  /// The value of a key, or null.
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& root() const { return *root_; }
  const std::filesystem::path& path() const { return path_; }

  /// Throws the UserError "FILE: KEY: expected …, found …".
  [[noreturn]] void fail(std::string_view key, std::string_view expected) const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<nlohmann::json> root_;
};

/// Any JSON value from a file; throws UserError when the file is missing or no JSON.
std::unique_ptr<nlohmann::json> read_json(const std::filesystem::path& path);

/// A value as it would stand in a file, cut short for a message.
std::string shown_json(const nlohmann::json& value);

}  // namespace sgpt
