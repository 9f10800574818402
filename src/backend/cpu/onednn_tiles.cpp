// Tiles by oneDNN's matmul on weights in its own blocked layout. Every call computes on one thread (product.h spreads
// tiles over threads), so that how oneDNN would split the work can never change a sum.
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <dnnl.hpp>

#include "backend/cpu/tile_kernel.h"
#include "base/threads.h"

namespace sgpt::cpu {
namespace {

using Desc = dnnl::memory::desc;
constexpr auto kFloat = dnnl::memory::data_type::f32;
constexpr auto kRowMajor = dnnl::memory::format_tag::ab;

// The number of rows that the layout of the right side is chosen for.
constexpr std::int64_t kTypicalRows = 128;
// Tiles of any number of rows would fill the cache of compiled primitives with 128 of each shape; this makes it 16.
constexpr std::int64_t kRowQuantum = 8;
// Shapes come from the model's sizes, so the cache stays far below this unless somebody runs many models in one
// process.
constexpr std::size_t kMostPrimitives = 4096;

struct Primitive {
  dnnl::matmul matmul;
  Desc left, right, tile, scratchpad;
};

/// oneDNN's favourite layout of a right side, and whether its kernel keeps TileKernel's promise.
struct Layout {
  Desc right;
  bool serves;
};

class OneDnnTiles final : public TileKernel {
 public:
  bool supports(std::int64_t inner, std::int64_t cols) const override {
    const ThreadScope one_thread(1);
    return layout(inner, cols).serves;
  }

  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    const ThreadScope one_thread(1);
    return layout(inner, cols).right.get_size();
  }

  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    const ThreadScope one_thread(1);
    StridedMatrix source = as_floats(right, workspace);
    if (right.rows < inner) {
      float* copy = workspace.floats(kCopySlot, inner * right.cols);
      for (std::int64_t k = 0; k < inner; ++k) {
        for (std::int64_t j = 0; j < right.cols; ++j) {
          copy[k * right.cols + j] =
              k < right.rows ? source.f32()[k * source.row_stride + j * source.col_stride] : 0.0f;
        }
      }
      source = {copy, inner, right.cols, right.cols, 1};
    }
    dnnl::memory from({{inner, right.cols}, kFloat, dnnl::memory::dims{source.row_stride, source.col_stride}}, engine_,
                      const_cast<void*>(source.data));
    dnnl::memory to(layout(inner, right.cols).right, engine_, packed);
    dnnl::stream stream(engine_);
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }

  std::int64_t row_quantum() const override { return kRowQuantum; }
  std::int64_t tile_stride(std::int64_t cols) const override { return cols; }

  void multiply(const float* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, Workspace& workspace) const override {
    const ThreadScope one_thread(1);
    const auto primitive = find(rows, inner, cols);
    dnnl::stream stream(engine_);
    const auto memory = [&](const Desc& desc, const void* data) {
      return dnnl::memory(desc, engine_, const_cast<void*>(data));
    };
    primitive->matmul.execute(
        stream, {{DNNL_ARG_SRC, memory(primitive->left, left)},
                 {DNNL_ARG_WEIGHTS, memory(primitive->right, packed)},
                 {DNNL_ARG_DST, memory(primitive->tile, tile)},
                 {DNNL_ARG_SCRATCHPAD,
                  memory(primitive->scratchpad, workspace.bytes(kLibrarySlot, primitive->scratchpad.get_size()))}});
    stream.wait();
  }

 private:
  using Shape = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, inner, cols

  dnnl::matmul::primitive_desc describe(std::int64_t rows, std::int64_t inner, std::int64_t cols,
                                        const Desc& right) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::desc desc({{rows, inner}, kFloat, kRowMajor}, right, {{rows, cols}, kFloat, kRowMajor});
    return {desc, attributes, engine_};
  }

  Layout layout(std::int64_t inner, std::int64_t cols) const {
    const std::pair key{inner, cols};
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = layouts_.find(key); found != layouts_.end()) return found->second;
    }
    const Desc any({inner, cols}, kFloat, dnnl::memory::format_tag::any);
    Layout layout{describe(kTypicalRows, inner, cols, any).weights_desc(), true};
    for (const std::int64_t rows : {kRowQuantum, kTypicalRows}) {
      // Only the "brg" family sums every row in the same order wherever it lies.
      const auto desc = describe(rows, inner, cols, layout.right);
      layout.serves &= std::string_view(desc.impl_info_str()).starts_with("brg");
    }
    const std::lock_guard lock(mutex_);
    return layouts_.emplace(key, layout).first->second;
  }

  std::shared_ptr<const Primitive> find(std::int64_t rows, std::int64_t inner, std::int64_t cols) const {
    const Shape shape{rows, inner, cols};
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = primitives_.find(shape); found != primitives_.end()) return found->second;
    }
    const auto desc = describe(rows, inner, cols, layout(inner, cols).right);
    auto made = std::make_shared<const Primitive>(
        Primitive{dnnl::matmul(desc), desc.src_desc(), desc.weights_desc(), desc.dst_desc(), desc.scratchpad_desc()});
    const std::lock_guard lock(mutex_);
    if (primitives_.size() >= kMostPrimitives) primitives_.clear();
    return primitives_.emplace(shape, std::move(made)).first->second;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  mutable std::shared_mutex mutex_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, Layout> layouts_;  // by inner, cols
  mutable std::map<Shape, std::shared_ptr<const Primitive>> primitives_;
};

}  // namespace

std::unique_ptr<TileKernel> make_onednn_tiles() { return std::make_unique<OneDnnTiles>(); }

}  // namespace sgpt::cpu
