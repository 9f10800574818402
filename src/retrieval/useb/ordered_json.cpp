#include "retrieval/useb/ordered_json.h"

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/filesystem.h"
#include "base/mapped_text.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

JsonNode parse(const std::filesystem::path& name, simdjson::dom::parser& parser) {
  const std::filesystem::path file = packed_or_plain(name);
  const MappedFile mapped = map_text(file, files::folder_of(file));
  simdjson::dom::element document;
  if (const auto error = parser.parse(mapped.text().data(), mapped.text().size()).get(document)) {
    throw UserError(fmt::format("{}: no valid JSON: {}", file.string(), simdjson::error_message(error)));
  }
  return {file.string(), "", document};
}

}  // namespace

OrderedJson::OrderedJson(const std::filesystem::path& file) : root_(parse(file, parser_)) {}

}  // namespace sgpt
