// A file of texts to a NumPy file of embeddings, as a stream: a corpus larger than memory works, and a killed run
// continues where it was, with the same bits as one that was not killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "encode/encoder_team.h"
#include "encode/text_source.h"

namespace sgpt {

struct EncodeFileJob {
  std::filesystem::path input;  ///< or "-" for stdin, which cannot be continued
  std::filesystem::path output;
  TextKind kind = TextKind::document;
  TextFormat format = TextFormat::automatic;
  /// Told how many rows are safe on the disk, after the start and after every chunk.
  std::function<void(std::int64_t rows)> on_rows = [](std::int64_t) {};
};

/// Writes `output` as a float32 array [texts, dimension]. While it runs, rows lie in OUTPUT.partial and OUTPUT.progress
/// says what they are; they stay when the run fails, and the next call with the same model, options and input goes on
/// from there. Returns the number of rows.
std::int64_t encode_file(const EncoderTeam& team, const EncodeFileJob& job);

/// The type that an unfinished run of this job computed in, where its model and options are else the encoder's: what
/// ComputeType::automatic goes on with, whatever it stands for by now.
std::optional<ComputeType> recorded_compute_type(const Encoder& encoder, const EncodeFileJob& job);

/// How many texts a regular file holds, counted by its lines (of JSON: about); 0 where it cannot be known.
std::int64_t count_texts(const std::filesystem::path& input);

}  // namespace sgpt
