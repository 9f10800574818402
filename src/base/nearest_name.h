// The name that somebody meant who mistyped one: for messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sgpt {

/// The one of `names` that is nearest to what was typed: by letters missing, added, changed or swapped, at most a third
/// of them; the first of equally near ones. Case, and "-" for "_", make no difference. Nothing when none is near.
std::optional<std::string> nearest_name(std::string_view typed, std::span<const std::string> names);

/// "; did you mean NAME?", or nothing when none is near.
std::string did_you_mean(std::string_view typed, std::span<const std::string> names);

/// "a, b, c", at most `most` of them and then "…".
std::string listed(std::span<const std::string> names, std::size_t most = 20);

}  // namespace sgpt
