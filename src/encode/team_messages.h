// What ranks that compute together say to each other: requests of rank 0, and whether all have the same model.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/communicator.h"

namespace sgpt {

/// Texts as one string, each behind its length. And back.
std::string packed_texts(std::span<const std::string> texts);
std::vector<std::string> unpacked_texts(std::string_view bytes);

/// value = rank 0's, whatever its length is on the others.
void broadcast_text(Communicator& ranks, std::string& value);

/// Compares what every rank was told, one line of options, and the vector that its model makes of a probe: where that
/// is the same but for rounding, rank 0 warns that `what` ("the embeddings") have other last bits. Throws UserError on
/// all ranks when they differ.
void require_same_model(Communicator& ranks, const std::string& options, std::span<const float> probe,
                        std::string_view what);

}  // namespace sgpt
