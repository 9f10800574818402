// Rotary positions (arXiv 2104.09864): how fast each pair of a head's numbers turns from token to token, with the
// scalings that stretch a model to longer texts, and the table of turns.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.h"

namespace sgpt {

enum class RotaryScaling {
  none,
  linear,  ///< all pairs turn slower by the factor
  llama3,  ///< slow ones by the factor, fast ones not at all, those between by something between
  yarn,    ///< likewise by other bounds (arXiv 2309.00071), and scores grow
};

struct Rotary {
  double theta = 10000;
  RotaryScaling scaling = RotaryScaling::none;
  double factor = 1;
  double original_positions = 0;  // that the model was trained on, before it was stretched
  double low_freq_factor = 1;     // llama3
  double high_freq_factor = 4;    // llama3
  double beta_fast = 32;          // yarn
  double beta_slow = 1;           // yarn
  bool truncate = true;           // yarn: whole dimensions bound the ramp
  double attention_factor = 1;    // of cosines and sines

  bool operator==(const Rotary&) const = default;
};

/// Angle from one token to the next, of each of the dims / 2 pairs; rounded as `transformers` rounds them.
std::vector<float> rotary_frequencies(const Rotary& rotary, std::int64_t dims);

/// Cosines and sines for so many positions: [positions, dims], each row laid as Pairing says.
std::vector<float> rotary_turns(const Rotary& rotary, Pairing pairing, std::int64_t positions, std::int64_t dims);

/// That table in a backend's memory, made as long as the texts ask for: models have positions that few texts reach.
/// Thread-safe.
class Turns {
 public:
  Turns(Backend& backend, const Rotary& rotary, Pairing pairing, std::int64_t dims);
  /// At least so many rows; valid as long as this object. A row has the same bits in every table.
  ConstMatrix rows(std::int64_t positions) const;
  std::size_t bytes() const;

 private:
  ConstMatrix last() const;

  Backend& backend_;
  Rotary rotary_;
  Pairing pairing_;
  std::int64_t dims_;
  mutable std::mutex mutex_;
  mutable std::vector<Buffer> tables_;  // each longer than the one before; those may be in use
};

}  // namespace sgpt
