// Event files as TensorBoard reads them: TFRecord frames {length, masked CRC-32C, data, masked CRC-32C} around Event
// messages in protobuf's wire format (tensorboard/compat/proto/event.proto, summary.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "train/observer.h"
#include "train/watch/scalars.h"

namespace sgpt {

class EventFile {
 public:
  /// Makes FOLDER/events.out.tfevents.TIME.HOST.PID.N. Steps from `first_step` on that lie in older files of the
  /// folder are no longer shown. Throws UserError when the file cannot be made.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);

  /// There to be read when it returns. Both throw MachineError when the disk is full.
  void add(std::int64_t step, std::span<const Scalar> scalars);
  void add(std::int64_t step, std::span<const NamedHistogram> histograms);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_event(std::int64_t step, std::int64_t field, std::string_view content);

  std::filesystem::path path_;
  std::ofstream out_;
};

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace sgpt
