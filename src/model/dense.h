// The Dense module of sentence-transformers: a Linear over embeddings, and perhaps a function of each number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "backend/backend.h"
#include "tensor/memory.h"

namespace sgpt {

/// What the config.json of such a module says.
struct DenseConfig {
  std::int64_t in = 0;
  std::int64_t out = 0;
  bool bias = true;
  bool tanh = false;  ///< the function: tanh, or none
};

/// Throws UserError naming file and key when the folder's config.json is missing or broken, or asks for what sgpt does
/// not compute.
DenseConfig read_dense_config(const std::filesystem::path& folder);

/// Writes the module into another folder, which is there: its config.json and its weights as they are.
void copy_dense(const std::filesystem::path& from, const std::filesystem::path& to);

/// On a backend, in f32. Const member functions are thread-safe.
class Dense {
 public:
  /// Reads the folder's weights. Throws UserError when they are missing, of another shape, or not finite. The backend
  /// must outlive it.
  Dense(Backend& backend, const std::filesystem::path& folder, const DenseConfig& config);

  /// y[B,out] from x[B,in]; a row's bits depend on that row alone.
  void forward(ConstMatrix x, Matrix y) const;

 private:
  Backend* backend_;
  DenseConfig config_;
  std::unique_ptr<PackedWeight> weight_;
  Buffer bias_;  // [1,out], where there is one
};

}  // namespace sgpt
