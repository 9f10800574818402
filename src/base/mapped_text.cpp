#include "base/mapped_text.h"

#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

#include "base/byte_source.h"
#include "base/file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// In the folder, or where that may not be written in, among the system's temporary files.
File nameless_file(const std::filesystem::path& folder) {
  try {
    return File::nameless(folder.empty() ? "." : folder);
  } catch (const UserError&) {
    std::error_code none;
    return File::nameless(std::filesystem::temp_directory_path(none));
  }
}

}  // namespace

MappedFile map_text(const std::filesystem::path& file, const std::filesystem::path& folder) {
  std::error_code none;
  ByteSource source(file);
  if (std::filesystem::is_regular_file(file, none) && !source.packed()) return MappedFile(file);
  File unpacked = nameless_file(folder);
  std::vector<std::byte> some(std::size_t{1} << 20);
  while (const std::size_t count = source.read(some)) {
    unpacked.write_all(std::span<const std::byte>(some).first(count));
  }
  return MappedFile(unpacked, source.name());
}

}  // namespace sgpt
