// Where the bytes go that a user asked for by a name: a file is replaced, what is no file is written into.
#pragma once

#include <filesystem>

#include "base/file.h"

namespace sgpt {

struct OutputTarget {
  /// Of a regular file that is there or is to be made; links are followed, so that they stay.
  std::filesystem::path path;
  /// Open when the bytes go into what is there: stdout ("-", /dev/stdout), a device, a FIFO. Opening a FIFO waits for
  /// its reader.
  File stream;
};

/// Throws UserError for a folder, a socket, a file that may not be written, a loop of links.
OutputTarget output_target(const std::filesystem::path& name);

/// Throws as output_target() and the writing after it would, for outputs that are opened only after long work.
void require_writable(const std::filesystem::path& name);

}  // namespace sgpt
