// The oracle: every operation as plain loops with double sums, simple enough to be checked by reading.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace sgpt {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace sgpt
