// The hub's cache read backwards: which model a path in it belongs to (models--ORG--NAME/snapshots/COMMIT/…), and how
// its damage is mended. Whoever is given a file of a model may be given one of the cache.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sgpt {

struct HubPath {
  std::string id;      ///< "ORG/NAME" or "NAME"
  std::string commit;  ///< the folder's name under snapshots
};

/// Nothing for a path outside of such a cache.
std::optional<HubPath> hub_path(const std::filesystem::path& path);

/// A model for people: ORG/NAME for a path in the hub's cache, any other path as it is given.
std::string model_shown(const std::filesystem::path& folder);

/// What to do about a file that is missing or broken, to end a message: nothing outside of the hub's cache, and there
/// "; sgpt pull ORG/NAME compares …", with the blob that the file's link leads to.
std::string repair_advice(const std::filesystem::path& file);

/// Whether a file or folder is there. A link without its target is no absent file, but a damaged one: throws UserError
/// for it, as for what cannot be looked at.
bool present(const std::filesystem::path& path);

/// present(), but false for a link without its target.
bool readable(const std::filesystem::path& path);

}  // namespace sgpt
