#include "train/parameter_tensor.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace sgpt {

TensorToWrite parameter_tensor(const Decoder& model, const Parameter& parameter, std::string name, Matrix device) {
  TensorToWrite tensor;
  tensor.name = std::move(name);
  tensor.shape = parameter.info.shape();
  if (parameter.info.transposed) {
    // Turned over as a whole, when its turn comes.
    const auto size = static_cast<std::size_t>(device.size());
    tensor.fill = [&model, &parameter, device, size, values = std::make_shared<std::vector<float>>()](
                      std::uint64_t first, std::span<std::byte> piece) {
      if (first == 0) {
        values->resize(size);
        model.download(parameter, device, *values);
      }
      std::ranges::copy(std::as_bytes(std::span(*values)).subspan(first, piece.size()), piece.begin());
      if (first + piece.size() == size * sizeof(float)) *values = {};
    };
    return tensor;
  }
  tensor.fill = [&backend = model.backend(), device](std::uint64_t first, std::span<std::byte> piece) {
    const auto begin = static_cast<std::int64_t>(first / sizeof(float));
    const auto count = static_cast<std::int64_t>(piece.size() / sizeof(float));
    backend.download({device.f32() + begin, 1, count}, {piece.data(), 1, count});
  };
  return tensor;
}

std::vector<TensorToWrite> adapter_tensors(const Decoder& model) {
  std::vector<TensorToWrite> tensors;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.info.lora == LoraPart::none) continue;
    tensors.push_back(parameter_tensor(model, parameter, "base_model.model." + parameter.info.name, parameter.value));
  }
  return tensors;
}

}  // namespace sgpt
