// From what pooling gives to an embedding: the modules that follow it in a sentence-transformers folder, the first
// numbers alone where a shorter embedding is asked for (Matryoshka), and length 1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "model/dense.h"
#include "tensor/arena.h"

namespace sgpt {

/// A module of a folder, between its pooling and a last Normalize.
struct HeadModule {
  std::filesystem::path folder;
  std::optional<DenseConfig> dense = {};  ///< unset: Normalize
};

/// Immutable; const member functions are thread-safe.
class EmbeddingHead {
 public:
  struct Options {
    std::int64_t pooled = 0;                 ///< numbers that pooling gives
    std::optional<std::int64_t> first = {};  ///< so many numbers of what the modules give; unset: all
    bool normalize = false;                  ///< at the end
  };
  /// Reads the modules' weights. Throws UserError when one does not fit what comes before it, and when `first` is more
  /// than there are. The backend must outlive it.
  EmbeddingHead(Backend& backend, const std::vector<HeadModule>& modules, const Options& options);

  /// How what the modules give becomes an embedding, which may differ from call to call.
  struct Form {
    std::optional<std::int64_t> first = {};
    bool normalize = false;
  };
  /// That of the options.
  Form form() const { return {options_.first, options_.normalize}; }

  /// Numbers of an embedding.
  std::int64_t dimension() const { return dimension(form()); }
  std::int64_t dimension(const Form& form) const { return form.first.value_or(whole_); }
  /// Numbers before the cut.
  std::int64_t whole_dimension() const { return whole_; }

  /// e[B, dimension()], on the host, from pooled[B,·], which is overwritten. A row's bits depend on that row alone.
  void forward(Matrix pooled, Arena& arena, Matrix e) const { forward(pooled, arena, e, form()); }
  /// e[B, dimension(form)]
  void forward(Matrix pooled, Arena& arena, Matrix e, const Form& form) const;

  /// Throws UserError when the form asks for more numbers than there are, or none.
  void require(const Form& form) const;

 private:
  Matrix first_columns(ConstMatrix x, std::int64_t first, Arena& arena) const;

  Backend& backend_;
  Options options_;
  std::vector<std::optional<Dense>> modules_;  // without a Dense: Normalize
  std::vector<std::int64_t> widths_;           // of what each gives
  std::int64_t whole_;
};

}  // namespace sgpt
