// A text file with all its bytes at hand, for those who look into it here and there.
#pragma once

#include <filesystem>

#include "base/mapped_file.h"

namespace sgpt {

/// A plain file is mapped where it lies. What is packed with gzip, a pipe or stdin ("-") is first written, unpacked, to
/// a nameless file in `folder` (or where that may not be written in, among the system's temporary files), which is gone
/// with the program. path() is `file` in either case. Throws UserError when
/// the file is missing or not readable, or nothing can be written in the folder; MachineError when the disk is full.
MappedFile map_text(const std::filesystem::path& file, const std::filesystem::path& folder);

}  // namespace sgpt
