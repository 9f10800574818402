// A NumPy array of float32 that grows row by row in a file beside its target, and survives being killed in between.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0, C order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/file.h"
#include "base/output_target.h"
#include "base/unfinished.h"

namespace sgpt {

/// The header of a float32 array [rows, columns]: always 128 bytes, so that it can be written when the rows are known.
std::string npy_header(std::int64_t rows, std::int64_t columns);

/// Destroyed before finish(), it leaves the file only where it keeps it and rows are in it. Not thread-safe.
/// Throws MachineError, naming file and reason, when the disk is full or not writable.
class NpyRows {
 public:
  /// Opens OUTPUT.partial, or makes it; a link is followed first. For a stream (stdout for "-", a FIFO, a device),
  /// whose beginning must tell how many rows follow, a nameless file takes them until they are known. `keep`: what is
  /// unfinished stays for another run, but for a stream. Throws UserError when the folder is missing, and when another
  /// program is writing it.
  NpyRows(const std::filesystem::path& output, std::int64_t columns, bool keep);
  ~NpyRows();
  NpyRows(const NpyRows&) = delete;
  NpyRows& operator=(const NpyRows&) = delete;

  std::int64_t rows() const { return rows_; }  ///< whole rows in the file
  bool keeps() const { return keep_; }
  /// Where the file gets its name, links followed.
  const std::filesystem::path& target() const { return target_.path; }
  void truncate(std::int64_t rows);            ///< keeps the first ones
  void append(std::span<const float> values);  ///< whole rows
  void flush() const { file_.sync(); }         ///< returns when all rows are on the disk
  /// Writes the header and gives the file its name, for good: what could take it up again may be removed.
  void finish();

 private:
  std::int64_t end_of(std::int64_t rows) const;

  OutputTarget target_;
  std::filesystem::path partial_;
  File file_;
  std::int64_t columns_;
  bool keep_;
  std::int64_t rows_ = 0;
  std::optional<Unfinished> unfinished_;
  bool finished_ = false;
};

}  // namespace sgpt
