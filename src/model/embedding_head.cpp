#include "model/embedding_head.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {

EmbeddingHead::EmbeddingHead(Backend& backend, const std::vector<HeadModule>& modules, const Options& options)
    : backend_(backend), options_(options), whole_(options.pooled) {
  std::string before = "the pooling";
  for (const HeadModule& module : modules) {
    modules_.emplace_back();
    if (module.dense) {
      if (module.dense->in != whole_) {
        throw UserError(fmt::format("{}: in_features: expected {}, the numbers that {} gives, found {}",
                                    (module.folder / "config.json").string(), whole_, before, module.dense->in));
      }
      modules_.back().emplace(backend, module.folder, *module.dense);
      whole_ = module.dense->out;
      before = module.folder.filename().string();
    }
    widths_.push_back(whole_);
  }
  require(form());
  if (options_.first == whole_) options_.first.reset();
}

void EmbeddingHead::require(const Form& form) const {
  if (!form.first || (*form.first >= 1 && *form.first <= whole_)) return;
  throw UserError(fmt::format("truncate_dim is {}, but the model's embeddings have {} numbers: expected 1 to {}",
                              *form.first, whole_, whole_));
}

/// Through the host: there are few numbers, a row a text.
Matrix EmbeddingHead::first_columns(ConstMatrix x, std::int64_t first, Arena& arena) const {
  std::vector<float> whole(static_cast<std::size_t>(x.size()));
  const Matrix rows(whole.data(), x.rows, x.cols);
  backend_.download(x, rows);
  std::vector<float> columns(static_cast<std::size_t>(x.rows * first));
  const Matrix cut(columns.data(), x.rows, first);
  for (std::int64_t row = 0; row < x.rows; ++row) std::copy_n(rows.f32_row(row), cut.cols, cut.f32_row(row));
  const Matrix result = arena.take(cut.rows, cut.cols);
  backend_.upload(cut, result);
  return result;
}

void EmbeddingHead::forward(Matrix pooled, Arena& arena, Matrix e, const Form& form) const {
  const Arena::Scope scope(arena);
  Matrix x = pooled;
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    if (!modules_[i]) {
      backend_.normalize_rows(x, x, {});
      continue;
    }
    const Matrix y = arena.take(x.rows, widths_[i]);
    modules_[i]->forward(x, y);
    x = y;
  }
  if (form.first && *form.first != whole_) x = first_columns(x, *form.first, arena);
  if (form.normalize) backend_.normalize_rows(x, x, {});
  backend_.download(x, e);
}

}  // namespace sgpt
