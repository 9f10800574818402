#include "backend/backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "sgpt/error.h"

namespace sgpt {

std::vector<std::string_view> backend_names() { return {"cpu", "reference"}; }

std::unique_ptr<Backend> make_backend(std::string_view name) {
  if (name == "cpu") return make_cpu_backend();
  if (name == "reference") return make_reference_backend();
  throw UserError(fmt::format("there is no backend '{}': this build has {}", name, fmt::join(backend_names(), ", ")));
}

}  // namespace sgpt
