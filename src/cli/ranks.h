// A sub-command that several processes under mpirun do together.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "base/communicator.h"
#include "sgpt/encoder.h"

namespace sgpt::cli {

/// Joins the other ranks, if there are any, and does `work` with them. When it throws on one of several ranks, that
/// rank says why, and all end with its exit status.
void with_ranks(const std::function<void(Communicator&)>& work);

/// Threads for this rank when the user named none: 0, for all cores, when it is alone or OMP_NUM_THREADS says how many.
int default_threads(const Communicator& ranks);

/// model_folder() of cli/model_option.h on every rank: rank 0 downloads the model where that is needed, then the others
/// look for it.
std::filesystem::path model_folder(const std::filesystem::path& model, Communicator& ranks);

/// The same of a model and its adapter.
std::filesystem::path model_folder(const std::filesystem::path& model, std::filesystem::path& adapter,
                                   Communicator& ranks);

/// The type in which embeddings that are there already were computed; nothing when there are none.
using RecordedType = std::function<std::optional<ComputeType>(const Encoder&)>;

/// This rank's encoder. What loading has to tell, rank 0 alone tells. `recorded` is asked on rank 0 where the options
/// leave the type to a measurement: what another start of the job settled on stands.
Encoder load_encoder(const std::filesystem::path& folder, EncoderOptions options, Communicator& ranks,
                     const RecordedType& recorded = {});

}  // namespace sgpt::cli
