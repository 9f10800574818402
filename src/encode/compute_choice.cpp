#include "encode/compute_choice.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/threads.h"
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/model_folder.h"
#include "sgpt/error.h"

namespace sgpt {

ComputeType choose_compute_type(std::optional<ComputeType> wanted, Backend& backend, DType stored, WeightUse use) {
  const bool automatic = wanted == ComputeType::automatic;
  if (wanted && !automatic) {
    if (backend.computes(*wanted)) return *wanted;
    throw UserError(fmt::format("the {} backend cannot compute in {} on this machine{}; f32 always works",
                                backend.name(), name_of(*wanted),
                                backend.name() == "cpu" ? ", whose processor has no instructions for it" : ""));
  }
  if (stored == DType::i8 && backend.computes(ComputeType::int8)) return ComputeType::int8;
  const bool halves = stored == DType::bf16 || stored == DType::f16;
  return automatic && halves && backend.gains_from_bf16(use) ? ComputeType::bf16 : ComputeType::f32;
}

ComputeType agree_on_compute_type(ComputeType mine, const Backend& backend, Communicator& ranks) {
  auto chosen = static_cast<std::int64_t>(mine);
  ranks.broadcast(std::as_writable_bytes(std::span(&chosen, 1)));
  const auto type = static_cast<ComputeType>(chosen);
  const std::vector<std::int64_t> able = ranks.all_gather(std::int64_t{backend.computes(type)});
  const auto unable = std::find(able.begin(), able.end(), 0);
  if (unable == able.end()) return type;
  if (ranks.first()) {
    log::info(fmt::format("computing in f32: rank {}'s machine cannot compute in {}, as rank 0's would",
                          unable - able.begin(), name_of(type)));
  }
  return ComputeType::f32;
}

ComputeType common_compute_type(const std::filesystem::path& model_folder, const EncoderOptions& options,
                                Communicator& ranks) {
  const ThreadScope threads(options.threads);
  const ModelFolder folder = read_model_folder(model_folder);
  const Checkpoint checkpoint = Checkpoint::open(folder.transformer);
  const std::unique_ptr<Backend> backend = make_backend(options.backend);
  const ComputeType mine = choose_compute_type(options.compute, *backend, matrix_type(checkpoint, folder.config));
  return agree_on_compute_type(mine, *backend, ranks);
}

}  // namespace sgpt
