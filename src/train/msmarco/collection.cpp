#include "train/msmarco/collection.h"

#include <fmt/format.h>

#include <string_view>

#include "base/mapped_text.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

// A look maps up to 16 pages (64 KB) around the passage. After this many, all are let go: they stay in the system's
// file cache, but a long run does not end up with the whole file in its resident memory.
constexpr std::int64_t kLooksBeforeRelease = 1024;

}  // namespace

Collection::Collection(const std::filesystem::path& path)
    : file_(map_text(path, path.parent_path())), index_(PassageIndex::open(file_)) {}

std::string Collection::text(std::uint32_t row) const {
  const std::string_view all = file_.text();
  const std::uint64_t begin = index_.offset(row);
  if (begin == 0 || begin > all.size() || all[begin - 1] != '\t') {
    throw UserError(fmt::format("{}.sgpt-index does not fit the collection: delete it, it will be made anew",
                                file_.path().string()));
  }
  std::string result(all.substr(begin, all.find('\n', begin) - begin));
  if (++looked_at_ % kLooksBeforeRelease == 0) drop_pages(file_.bytes());
  if (const auto place = invalid_utf8(result)) {
    throw UserError(
        fmt::format("{}: passage {}: invalid UTF-8 at byte {} of its text", file_.path().string(), pid(row), *place));
  }
  return result;
}

}  // namespace sgpt
