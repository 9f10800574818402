#include "formats/json_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

// A configuration deeper than this is no configuration; nlohmann's printer and copies are recursive.
constexpr int kDeepest = 64;

}  // namespace

std::unique_ptr<nlohmann::json> read_json(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto not_too_deep = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepest) {
      throw UserError(fmt::format("{}: nested deeper than {} levels: not a configuration", path.string(), kDeepest));
    }
    return true;
  };
  try {
    return std::make_unique<nlohmann::json>(nlohmann::json::parse(file.text(), not_too_deep));
  } catch (const nlohmann::json::exception& error) {
    throw UserError(fmt::format("{}: not valid JSON: {}{}", path.string(), error.what(), repair_advice(path)));
  }
}

std::string shown_json(const nlohmann::json& value) {
  constexpr std::size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

JsonFile::JsonFile(const std::filesystem::path& path) : path_(path), root_(read_json(path)) {
  if (!root_->is_object()) {
    throw UserError(fmt::format("{}: expected a JSON object, found {}", path.string(), root_->type_name()));
  }
}

JsonFile::JsonFile(JsonFile&&) noexcept = default;
JsonFile::~JsonFile() = default;

std::optional<JsonFile> JsonFile::if_present(const std::filesystem::path& path) {
  if (!present(path)) return std::nullopt;
  return JsonFile(path);
}

const nlohmann::json* JsonFile::find(std::string_view key) const {
  const auto found = root_->find(key);
  return found == root_->end() || found->is_null() ? nullptr : &*found;
}

void JsonFile::fail(std::string_view key, std::string_view expected) const {
  const auto* value = find(key);
  throw UserError(fmt::format("{}: {}: expected {}, found {}", path_.string(), key, expected,
                              value ? shown_json(*value) : std::string("nothing")));
}

std::optional<bool> JsonFile::boolean(std::string_view key) const {
  const auto* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::optional<std::int64_t> JsonFile::integer(std::string_view key) const {
  const auto* value = find(key);
  if (!value) return std::nullopt;
  const bool too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  if (!value->is_number_integer() || too_large) fail(key, "an integer");
  return value->get<std::int64_t>();
}

std::optional<double> JsonFile::number(std::string_view key) const {
  const auto* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) fail(key, "a number");
  return value->get<double>();
}

std::optional<std::string> JsonFile::string(std::string_view key) const {
  const auto* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) fail(key, "a string");
  return value->get<std::string>();
}

}  // namespace sgpt
