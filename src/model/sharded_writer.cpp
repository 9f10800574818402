#include "model/sharded_writer.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "model/describe.h"

namespace sgpt {
namespace {

using Shard = std::span<const TensorToWrite>;

/// Consecutive tensors, as many in a file as fit.
std::vector<Shard> cut(std::span<const TensorToWrite> tensors, std::uint64_t shard_bytes) {
  std::vector<Shard> shards;
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t more = bytes_of(tensors[i]);
    if (i > begin && bytes + more > shard_bytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += more;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

}  // namespace

std::uint64_t bytes_of(const TensorToWrite& tensor) { return byte_count(tensor.shape, tensor.type).value_or(0); }

std::vector<std::string> write_sharded(const std::filesystem::path& folder, std::span<const TensorToWrite> tensors,
                                       std::uint64_t shard_bytes) {
  const std::vector<Shard> shards = cut(tensors, shard_bytes);
  std::vector<std::string> names;
  if (shards.size() == 1) {
    names.emplace_back("model.safetensors");
    write_safetensors(folder / names.front(), tensors);
    return names;
  }
  nlohmann::ordered_json map = nlohmann::ordered_json::object();
  std::uint64_t total = 0;
  for (const Shard& shard : shards) {
    names.push_back(fmt::format("model-{:05}-of-{:05}.safetensors", names.size() + 1, shards.size()));
    write_safetensors(folder / names.back(), shard);
    for (const TensorToWrite& tensor : shard) {
      map[tensor.name] = names.back();
      total += bytes_of(tensor);
    }
  }
  const nlohmann::ordered_json index{{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  write_file(folder / "model.safetensors.index.json", index.dump(2) + "\n");
  return names;
}

}  // namespace sgpt
