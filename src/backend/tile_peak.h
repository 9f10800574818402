// What the processor's tiles can do at best: the limit that sgpt bench holds its figures against where there are any.
#pragma once

#include "sgpt/compute_type.h"

namespace sgpt {

/// Operations a second (a multiplication and its addition are two) of all threads of OpenMP together, multiplying
/// registers and loading nothing; measured for a fiftieth of a second. 0 for f32, and where the processor has no tiles.
double tile_peak(ComputeType type);

}  // namespace sgpt
