#include "backend/cpu/onednn_product.h"

#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>

#include <dnnl.hpp>

#include "base/threads.h"

namespace sgpt::cpu {
namespace {

using Desc = dnnl::memory::desc;
using Type = dnnl::memory::data_type;
constexpr auto kRowMajor = dnnl::memory::format_tag::ab;

// The number of rows that the layout of the right side is chosen for.
constexpr std::int64_t kTypicalRows = 128;
// Shapes come from the model's sizes, so the cache stays far below this unless somebody runs many models in one
// process.
constexpr std::size_t kMostPrimitives = 4096;

struct Primitive {
  dnnl::matmul matmul;
  Desc left, right, product, scratchpad;
};

/// oneDNN's favourite layout of a right side, and whether its kernel may be used.
struct Layout {
  Desc right;
  bool serves;
};

Type left_type(OneDnnTypes types) {
  switch (types) {
    case OneDnnTypes::f32: return Type::f32;
    case OneDnnTypes::bf16: return Type::bf16;
    case OneDnnTypes::u8_s8: return Type::u8;
  }
  return Type::undef;
}

/// Only the "brg" family sums every row in the same order wherever it lies. For types that a processor has no
/// instructions for, it computes by detours: slowly for bf16, and with sums that overflow for integers.
bool keeps_promises(std::string_view kernel, OneDnnTypes types) {
  const auto names = [&](std::string_view part) { return kernel.find(part) != std::string_view::npos; };
  if (!kernel.starts_with("brg")) return false;
  switch (types) {
    case OneDnnTypes::f32: return true;
    case OneDnnTypes::bf16: return names("bf16");
    case OneDnnTypes::u8_s8: return names("vnni") || names("amx");
  }
  return false;
}

Type library_type(DType type) {
  switch (type) {
    case DType::i8: return Type::s8;
    case DType::bf16: return Type::bf16;
    default: return Type::f32;
  }
}

}  // namespace

struct OneDnnProduct::Library {
  explicit Library(OneDnnTypes types_)
      : types(types_), left(left_type(types_)), right(types_ == OneDnnTypes::u8_s8 ? Type::s8 : left) {}

  dnnl::matmul::primitive_desc describe(std::int64_t rows, std::int64_t inner, std::int64_t cols,
                                        const Desc& right_desc) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::desc desc({{rows, inner}, left, kRowMajor}, right_desc, {{rows, cols}, Type::f32, kRowMajor});
    return {desc, attributes, engine};
  }

  Layout layout(std::int64_t inner, std::int64_t cols) const {
    const std::pair key{inner, cols};
    {
      const std::shared_lock lock(mutex);
      if (const auto found = layouts.find(key); found != layouts.end()) return found->second;
    }
    const Desc any({inner, cols}, right, dnnl::memory::format_tag::any);
    Layout layout{any, true};
    try {
      layout.right = describe(kTypicalRows, inner, cols, any).weights_desc();
      for (const std::int64_t rows : {kRowQuantum, kTypicalRows}) {
        layout.serves &= keeps_promises(describe(rows, inner, cols, layout.right).impl_info_str(), types);
      }
    } catch (const dnnl::error&) {
      layout.serves = false;  // types that it does not know on this processor
    }
    const std::lock_guard lock(mutex);
    return layouts.emplace(key, layout).first->second;
  }

  std::shared_ptr<const Primitive> find(std::int64_t rows, std::int64_t inner, std::int64_t cols) const {
    const Shape shape{rows, inner, cols};
    {
      const std::shared_lock lock(mutex);
      if (const auto found = primitives.find(shape); found != primitives.end()) return found->second;
    }
    const auto desc = describe(rows, inner, cols, layout(inner, cols).right);
    auto made = std::make_shared<const Primitive>(
        Primitive{dnnl::matmul(desc), desc.src_desc(), desc.weights_desc(), desc.dst_desc(), desc.scratchpad_desc()});
    const std::lock_guard lock(mutex);
    if (primitives.size() >= kMostPrimitives) primitives.clear();
    return primitives.emplace(shape, std::move(made)).first->second;
  }

  using Shape = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, inner, cols

  OneDnnTypes types;
  Type left, right;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  mutable std::shared_mutex mutex;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, Layout> layouts;  // by inner, cols
  mutable std::map<Shape, std::shared_ptr<const Primitive>> primitives;
};

OneDnnProduct::OneDnnProduct(OneDnnTypes types) : library_(std::make_unique<Library>(types)) {}
OneDnnProduct::~OneDnnProduct() = default;

bool OneDnnProduct::serves(std::int64_t inner, std::int64_t cols) const {
  const ThreadScope one_thread(1);
  return library_->layout(inner, cols).serves;
}

std::size_t OneDnnProduct::packed_bytes(std::int64_t inner, std::int64_t cols) const {
  const ThreadScope one_thread(1);
  return library_->layout(inner, cols).right.get_size();
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
  const dnnl::engine& engine = library_->engine;
  dnnl::memory from(
      {{inner, right.cols}, library_type(source.type), dnnl::memory::dims{source.row_stride, source.col_stride}},
      engine, const_cast<void*>(source.data));
  dnnl::memory to(library_->layout(inner, right.cols).right, engine, packed);
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

void OneDnnProduct::multiply(const void* left, std::int64_t rows, std::int64_t inner, std::int64_t cols,
                             const void* packed, float* product, Workspace& workspace) const {
  const ThreadScope one_thread(1);
  const auto primitive = library_->find(rows, inner, cols);
  dnnl::stream stream(library_->engine);
  const auto memory = [&](const Desc& desc, const void* data) {
    return dnnl::memory(desc, library_->engine, const_cast<void*>(data));
  };
  primitive->matmul.execute(
      stream, {{DNNL_ARG_SRC, memory(primitive->left, left)},
               {DNNL_ARG_WEIGHTS, memory(primitive->right, packed)},
               {DNNL_ARG_DST, memory(primitive->product, product)},
               {DNNL_ARG_SCRATCHPAD,
                memory(primitive->scratchpad, workspace.bytes(kLibrarySlot, primitive->scratchpad.get_size()))}});
  stream.wait();
}

}  // namespace sgpt::cpu
