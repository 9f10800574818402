#include "encode/npy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kHeader = 128;
constexpr std::size_t kPreamble = 10;  // magic, version, length of what follows

void copy(const File& from, File& to) {
  constexpr std::int64_t kPiece = std::int64_t{4} << 20;
  const std::int64_t size = from.size();
  std::vector<std::byte> piece;
  for (std::int64_t at = 0; at < size; at += kPiece) {
    piece.resize(static_cast<std::size_t>(std::min(kPiece, size - at)));
    from.read_all_at(piece, at);
    to.write_all(piece);
  }
  to.close();
}

}  // namespace

std::string npy_header(std::int64_t rows, std::int64_t columns) {
  const std::string array =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  constexpr std::size_t kRest = kHeader - kPreamble;
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(kRest);
  header += '\0';
  return header + fmt::format("{:<{}}\n", array, kRest - 1);
}

NpyRows::NpyRows(const std::filesystem::path& output, std::int64_t columns, bool keep)
    : target_(output_target(output)), columns_(columns), keep_(keep && !target_.stream) {
  if (target_.stream) {
    file_ = File::nameless(std::filesystem::temp_directory_path());
    return;
  }
  files::require_folder_for(target_.path);
  partial_ = target_.path;
  partial_ += ".partial";
  file_ = File::open(partial_, O_RDWR | O_CREAT, "cannot be written");
  if (!file_.try_lock()) {
    throw UserError(fmt::format("{}: another program is writing this file: wait for it, or name another output",
                                partial_.string()));
  }
  if (!keep_) unfinished_.emplace(partial_);
  rows_ = std::max<std::int64_t>(0, file_.size() - end_of(0)) / (end_of(1) - end_of(0));
}

NpyRows::~NpyRows() {
  // Removed while the lock is held, so that it can't be another program's file.
  if (!partial_.empty() && !finished_ && !(keep_ && rows_ > 0)) ::unlink(partial_.c_str());
}

std::int64_t NpyRows::end_of(std::int64_t rows) const {
  return static_cast<std::int64_t>(kHeader) + rows * columns_ * static_cast<std::int64_t>(sizeof(float));
}

void NpyRows::truncate(std::int64_t rows) {
  file_.resize(end_of(rows));
  rows_ = rows;
}

void NpyRows::append(std::span<const float> values) {
  file_.write_all_at(std::as_bytes(values), end_of(rows_));
  rows_ += static_cast<std::int64_t>(values.size()) / columns_;
}

void NpyRows::finish() {
  const std::string header = npy_header(rows_, columns_);
  file_.write_all_at(std::as_bytes(std::span(header)), 0);
  truncate(rows_);
  finished_ = true;
  if (target_.stream) return copy(file_, target_.stream);
  file_.take_permissions(target_.path);
  file_.sync();
  files::rename(partial_, target_.path);
  unfinished_.reset();
  files::sync_folder(files::folder_of(target_.path));
}

}  // namespace sgpt
