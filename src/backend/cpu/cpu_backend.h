// The fast backend for processors: oneDNN for matrix products, Highway for vector kernels, OpenMP for threads.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace sgpt {

std::unique_ptr<Backend> make_cpu_backend();

}  // namespace sgpt
