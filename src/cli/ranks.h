// A sub-command that several processes under mpirun do together.
#pragma once

#include <filesystem>
#include <functional>

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

/// This rank's encoder. What loading has to tell, rank 0 alone tells.
Encoder load_encoder(const std::filesystem::path& folder, EncoderOptions options, Communicator& ranks);

}  // namespace sgpt::cli
