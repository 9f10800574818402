// A JSON file whose objects keep the order of the file: USEB's results follow it, where values are equal.
#pragma once

#include <simdjson.h>

#include <filesystem>

#include "base/mapped_file.h"
#include "text/json_node.h"

namespace sgpt {

/// Include it in .cpp files only.
class OrderedJson {
 public:
  /// A file, packed or not. Throws UserError when it is missing or no JSON.
  explicit OrderedJson(const std::filesystem::path& file);
  /// Valid as long as this object.
  const JsonNode& root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  JsonNode root_;
};

}  // namespace sgpt
