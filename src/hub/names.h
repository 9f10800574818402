// Names that come from people and from servers, checked before they become paths or addresses.
#pragma once

#include <string>
#include <string_view>

namespace sgpt {

/// A model on the hub.
struct HubName {
  std::string id;                 ///< "ORG/NAME" or "NAME"
  std::string revision = "main";  ///< branch, tag or commit

  /// "ORG/NAME", with "@REVISION" unless it is main.
  std::string text() const;
};

/// ORG/NAME[@REVISION]; throws UserError when it is neither that nor (the caller has looked) a folder.
HubName parse_hub_name(const std::string& text);

/// 40 hexadecimal digits: a name that always means the same files.
bool is_full_commit(std::string_view revision);

bool is_hex(std::string_view text, std::size_t digits);

/// May name a commit's folder or a blob: letters, digits, '-', '_' and '.', not starting with a dot.
bool is_plain_name(std::string_view text);

/// May be joined to a folder without leaving it: relative, "/" between parts, no part empty, "." or "..", no backslash
/// and no control character.
bool is_safe_path(std::string_view path);

/// What a server sent, fit for a message: control characters replaced, not too long.
std::string printable(std::string_view text);

}  // namespace sgpt
