#include "train/parameter_tensor.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sgpt {

TensorToWrite parameter_tensor(const Bloom& model, const Parameter& parameter, std::string name, Matrix device) {
  TensorToWrite tensor;
  tensor.name = std::move(name);
  tensor.shape = parameter.info.shape();
  tensor.fill = [&backend = model.backend(), device](std::uint64_t first, std::span<std::byte> piece) {
    const auto begin = static_cast<std::int64_t>(first / sizeof(float));
    const auto count = static_cast<std::int64_t>(piece.size() / sizeof(float));
    backend.download({device.f32() + begin, 1, count}, {piece.data(), 1, count});
  };
  return tensor;
}

}  // namespace sgpt
