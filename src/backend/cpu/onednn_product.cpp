#include "backend/cpu/onednn_product.h"

#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <dnnl.hpp>

#include "backend/cpu/processor.h"
#include "base/fork.h"
#include "base/threads.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {
namespace {

using Desc = dnnl::memory::desc;
using Type = dnnl::memory::data_type;
constexpr auto kRowMajor = dnnl::memory::format_tag::ab;

// Shapes come from the model's sizes, so the cache stays far below this unless somebody runs many models in one
// process.
constexpr std::size_t kMostPrimitives = 4096;

/// The kernel of a shape.
struct Primitive {
  dnnl::matmul matmul;
  Desc left, right, product, scratchpad;
  bool serves = false;
};

Type left_type(OneDnnTypes types) {
  switch (types) {
    case OneDnnTypes::bf16: return Type::bf16;
    case OneDnnTypes::u8_s8: return Type::u8;
  }
  return Type::undef;
}

Type library_type(DType type) {
  switch (type) {
    case DType::i8: return Type::s8;
    case DType::bf16: return Type::bf16;
    default: return Type::f32;
  }
}

/// Tells oneDNN which instructions were taken away. Where a program used it before, it is too late, and nothing is
/// lost: what may be used is tried all the same.
void limit_instructions() {
  if (!processor_is_limited()) return;
  const Processor& left = processor();
  dnnl::set_max_cpu_isa(!left.avx512 ? dnnl::cpu_isa::avx2
                        : !left.vnni ? dnnl::cpu_isa::avx512_core
                        : !left.bf16 ? dnnl::cpu_isa::avx512_core_vnni
                                     : dnnl::cpu_isa::avx512_core_bf16);
}

/// Numbers from -1 to 1, or integers, the same in every process.
class Sequence {
 public:
  std::uint32_t bits() { return static_cast<std::uint32_t>((state_ = state_ * 6364136223846793005U + 1) >> 32); }
  float number() { return static_cast<float>(bits()) * 0x1p-31f - 1; }

 private:
  std::uint64_t state_ = 20240229;
};

}  // namespace

struct OneDnnProduct::Library {
  Library(OneDnnTypes types_, std::int64_t rows_)
      : types(types_), left(left_type(types_)), right(types_ == OneDnnTypes::u8_s8 ? Type::s8 : left), rows(rows_) {
    static std::once_flag limited;
    std::call_once(limited, limit_instructions);
  }

  std::shared_ptr<const Primitive> find(std::int64_t inner, std::int64_t cols) const {
    const std::pair shape{inner, cols};
    {
      const NoForkMeanwhile hold;
      const std::shared_lock lock(mutex);
      if (const auto found = primitives.find(shape); found != primitives.end()) return found->second;
    }
    auto made = std::make_shared<const Primitive>(make(inner, cols));
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex);
    if (primitives.size() >= kMostPrimitives) primitives.clear();
    return primitives.emplace(shape, std::move(made)).first->second;
  }

  Primitive make(std::int64_t inner, std::int64_t cols) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::desc desc({{rows, inner}, left, kRowMajor},
                                  {{inner, cols}, right, dnnl::memory::format_tag::any},
                                  {{rows, cols}, Type::f32, kRowMajor});
    try {
      const dnnl::matmul::primitive_desc chosen(desc, attributes, engine);
      Primitive primitive{dnnl::matmul(chosen), chosen.src_desc(), chosen.weights_desc(), chosen.dst_desc(),
                          chosen.scratchpad_desc()};
      // The name tells of speed alone: the other families are slow for a right side in blocks.
      primitive.serves = std::string_view(chosen.impl_info_str()).starts_with("brg") &&
                         (types == OneDnnTypes::u8_s8 ? sums_are_exact(primitive, inner, cols)
                                                      : rows_are_alike(primitive, inner, cols));
      return primitive;
    } catch (const dnnl::error&) {
      return {};  // types that it does not know on this processor
    }
  }

  dnnl::memory memory(const Desc& desc, const void* data) const { return {desc, engine, const_cast<void*>(data)}; }

  void run(const Primitive& primitive, const void* from, const void* packed, float* product, void* scratchpad) const {
    dnnl::stream stream(engine);
    primitive.matmul.execute(stream, {{DNNL_ARG_SRC, memory(primitive.left, from)},
                                      {DNNL_ARG_WEIGHTS, memory(primitive.right, packed)},
                                      {DNNL_ARG_DST, memory(primitive.product, product)},
                                      {DNNL_ARG_SCRATCHPAD, memory(primitive.scratchpad, scratchpad)}});
    stream.wait();
  }

  void reorder(const Desc& from_desc, const void* from, const Primitive& primitive, void* packed) const {
    dnnl::memory source = memory(from_desc, from);
    dnnl::memory target = memory(primitive.right, packed);
    dnnl::stream stream(engine);
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
  }

  /// The product of a trial, [rows, cols].
  std::vector<float> tried(const Primitive& primitive, const void* from, const Desc& right_desc,
                           const void* right_values) const {
    const Buffer packed(host_memory(), primitive.right.get_size());
    const Buffer scratchpad(host_memory(), primitive.scratchpad.get_size() + 1);
    std::vector<float> product(primitive.product.get_size() / sizeof(float));
    reorder(right_desc, right_values, primitive, packed.data());
    run(primitive, from, packed.data(), product.data(), scratchpad.data());
    return product;
  }

  /// Whether rows of ordinary numbers have the same bits when all are moved by one place, among other neighbours.
  bool rows_are_alike(const Primitive& primitive, std::int64_t inner, std::int64_t cols) const {
    Sequence sequence;
    std::vector<float> numbers(static_cast<std::size_t>((rows + 1) * inner));
    std::vector<float> right_numbers(static_cast<std::size_t>(inner * cols));
    for (float& x : numbers) x = sequence.number();
    for (float& x : right_numbers) x = sequence.number();
    std::vector<std::uint16_t> halves(numbers.size());
    std::transform(numbers.begin(), numbers.end(), halves.begin(), bf16_from_float);
    const Desc plain({inner, cols}, Type::f32, kRowMajor);
    const std::vector<float> first = tried(primitive, halves.data(), plain, right_numbers.data());
    const std::vector<float> moved = tried(primitive, halves.data() + inner, plain, right_numbers.data());
    const auto common = static_cast<std::size_t>((rows - 1) * cols) * sizeof(float);
    return std::memcmp(first.data() + cols, moved.data(), common) == 0;
  }

  /// Whether sums of products of bytes are right to the last digit, the greatest among them. (Without instructions for
  /// such sums, neighbours are added up in 16 bits, where they overflow.)
  bool sums_are_exact(const Primitive& primitive, std::int64_t inner, std::int64_t cols) const {
    Sequence sequence;
    std::vector<std::uint8_t> from(static_cast<std::size_t>(rows * inner));
    std::vector<std::int8_t> weights(static_cast<std::size_t>(inner * cols));
    for (auto& x : from) x = sequence.bits() % 3 == 0 ? 255 : static_cast<std::uint8_t>(sequence.bits());
    for (auto& x : weights) x = static_cast<std::int8_t>(static_cast<int>(sequence.bits() % 255) - 127);
    std::fill_n(from.begin(), inner, std::uint8_t{255});
    for (std::int64_t k = 0; k < inner; ++k) weights[static_cast<std::size_t>(k * cols)] = k % 8 < 4 ? 127 : -127;
    const std::vector<float> found =
        tried(primitive, from.data(), {{inner, cols}, Type::s8, kRowMajor}, weights.data());
    std::vector<std::int32_t> sums(static_cast<std::size_t>(cols));
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill(sums.begin(), sums.end(), 0);
      for (std::int64_t k = 0; k < inner; ++k) {
        const int x = from[static_cast<std::size_t>(i * inner + k)];
        for (std::int64_t j = 0; j < cols; ++j) {
          sums[static_cast<std::size_t>(j)] += x * weights[static_cast<std::size_t>(k * cols + j)];
        }
      }
      for (std::int64_t j = 0; j < cols; ++j) {
        if (found[static_cast<std::size_t>(i * cols + j)] != static_cast<float>(sums[static_cast<std::size_t>(j)])) {
          return false;
        }
      }
    }
    return true;
  }

  OneDnnTypes types;
  Type left, right;
  std::int64_t rows;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  mutable std::shared_mutex mutex;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<const Primitive>>
      primitives;  // by inner, cols
};

OneDnnProduct::OneDnnProduct(OneDnnTypes types, std::int64_t rows) : library_(std::make_unique<Library>(types, rows)) {}
OneDnnProduct::~OneDnnProduct() = default;

std::int64_t OneDnnProduct::rows() const { return library_->rows; }

bool OneDnnProduct::serves(std::int64_t inner, std::int64_t cols) const {
  const ThreadScope one_thread(1);
  return library_->find(inner, cols)->serves;
}

std::size_t OneDnnProduct::packed_bytes(std::int64_t inner, std::int64_t cols) const {
  const ThreadScope one_thread(1);
  return library_->find(inner, cols)->right.get_size();
}

void OneDnnProduct::pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const {
  const ThreadScope one_thread(1);
  StridedMatrix source = right;
  if (right.rows < inner) {
    const std::size_t size = size_of(right.type);
    auto* copy =
        static_cast<std::byte*>(workspace.bytes(kCopySlot, static_cast<std::size_t>(inner * right.cols) * size));
    std::memset(copy, 0, static_cast<std::size_t>(inner * right.cols) * size);
    for (std::int64_t j = 0; j < right.cols; ++j) {
      for (std::int64_t k = 0; k < right.rows; ++k) {
        std::memcpy(copy + static_cast<std::size_t>(j * inner + k) * size, right.at(k, j), size);
      }
    }
    source = {copy, inner, right.cols, 1, inner, right.type};
  }
  const Desc desc({inner, right.cols}, library_type(source.type),
                  dnnl::memory::dims{source.row_stride, source.col_stride});
  library_->reorder(desc, source.data, *library_->find(inner, right.cols), packed);
}

void OneDnnProduct::multiply(const void* left, std::int64_t inner, std::int64_t cols, const void* packed,
                             float* product, Workspace& workspace) const {
  const ThreadScope one_thread(1);
  const auto primitive = library_->find(inner, cols);
  library_->run(*primitive, left, packed, product, workspace.bytes(kLibrarySlot, primitive->scratchpad.get_size()));
}

std::string onednn_version() {
  const dnnl::version_t* version = dnnl::version();
  return fmt::format("oneDNN {}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace sgpt::cpu
