// The jobs that sgpt bench times, each with the time of its matrix products alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "bench/profile.h"
#include "sgpt/encoder.h"

namespace sgpt::bench {

struct BenchResult {
  std::int64_t texts = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
  double product_seconds = 0;      ///< what oneDNN alone takes in f32 for the products that were computed
  double product_operations = 0;   ///< of those products; a multiplication and its addition are two
  double tile_peak = 0;            ///< operations a second of the processor's tiles in this type; 0: it has none
  std::size_t peak_rss_bytes = 0;  ///< of the process, before the products were timed alone
  std::size_t model_bytes = 0;     ///< the weights as they lie on the disk
  ComputeType compute = ComputeType::f32;

  std::vector<ProfileRow> profile;  ///< where it was asked for

  double tokens_per_second() const { return static_cast<double>(tokens) / seconds; }
  double limit_tokens_per_second() const { return static_cast<double>(tokens) / product_seconds; }
  double share_of_tiles() const { return product_operations / seconds / tile_peak; }
};

struct EncodeBench {
  std::int64_t documents = 64;  ///< the first so many of the data set
  bool profile = false;
};

/// Embeds the first documents of a data set.
BenchResult bench_encode(const std::filesystem::path& model, const std::filesystem::path& data, const EncodeBench& job,
                         const EncoderOptions& options);

struct TrainBench {
  std::int64_t batch = 16;              ///< queries a step, each with a document as positive and another as negative
  std::int64_t documents = 0;           ///< taken from the first so many; 0: as many as the step needs
  std::int64_t chunk_size = 8;          ///< of GradCache
  std::int64_t activation_memory = -1;  ///< bytes for what is kept of first passes; -1: as sgpt train chooses
  std::int64_t steps = 1;               ///< so many are made, and the last is timed: only the first touches new memory
  bool all_parameters = false;          ///< train everything, and not the biases alone
  bool profile = false;
};

/// One step of BitFit, or of training everything, with GradCache, after a small one that warms up.
BenchResult bench_train(const std::filesystem::path& model, const std::filesystem::path& data, const TrainBench& job,
                        const EncoderOptions& options);

}  // namespace sgpt::bench
