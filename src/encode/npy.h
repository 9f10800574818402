// A NumPy array of float32 that grows row by row in a file beside its target, and survives being killed in between.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0, C order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace sgpt {

/// The header of a float32 array [rows, columns]: always 128 bytes, so that it can be written when the rows are known.
std::string npy_header(std::int64_t rows, std::int64_t columns);

/// Destroyed before finish(), it leaves the file only when it was told to keep it and rows are in it. Not thread-safe.
/// Throws MachineError, naming file and reason, when the disk is full or not writable.
class NpyRows {
 public:
  /// Opens the partial file, or makes it. Throws UserError when its folder is missing, and when another program is
  /// writing it.
  NpyRows(const std::filesystem::path& partial, std::int64_t columns);
  ~NpyRows();
  NpyRows(const NpyRows&) = delete;
  NpyRows& operator=(const NpyRows&) = delete;

  std::int64_t rows() const { return rows_; }  ///< whole rows in the file
  void keep_unfinished() { keep_ = true; }
  void truncate(std::int64_t rows);            ///< keeps the first ones
  void append(std::span<const float> values);  ///< whole rows
  void flush();                                ///< returns when all rows are on the disk
  /// Writes the header and gives the file its name.
  void finish(const std::filesystem::path& target);

 private:
  void write(const void* data, std::size_t bytes, std::int64_t offset);
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_;
  std::int64_t columns_;
  std::int64_t rows_ = 0;
  int descriptor_ = -1;
  bool keep_ = false;
  bool finished_ = false;
};

}  // namespace sgpt
