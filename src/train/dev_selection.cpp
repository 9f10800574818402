#include "train/dev_selection.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sgpt {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

}  // namespace

DevSelection::DevSelection(Decoder& model)
    : model_(model), buffer_(model.backend().memory(), model.trained_values().bytes()), best_score_(kNone) {
  best_values_ = Matrix(buffer_.data(), 1, model.trained_values().size());
}

bool DevSelection::add(std::int64_t step, const StsRow& row) {
  rows_.push_back(row);
  const double score = row.result.main_score();
  if (!(score > best_score_)) return false;
  best_score_ = score;
  best_step_ = step;
  model_.backend().copy(model_.trained_values(), best_values_);
  return true;
}

void DevSelection::resume(std::vector<StsRow> rows, std::int64_t best_step) {
  rows_ = std::move(rows);
  best_step_ = best_step;
  best_score_ = kNone;
  for (const StsRow& row : rows_) best_score_ = std::max(best_score_, row.result.main_score());
}

void DevSelection::restore_best() {
  if (best_step_ == 0) return;
  model_.backend().copy(best_values_, model_.trained_values());
  model_.values_changed();
}

}  // namespace sgpt
