// From the model cards and the tables of the SGPT repository.
#include "retrieval/published_scores.h"

#include <algorithm>
#include <iterator>

namespace sgpt {
namespace {

constexpr PublishedSts kSts[] = {
    {"SGPT-125M-weightedmean-nli-bitfit", 0.80009, 0.79540, ""},
    {"SGPT-1.3B-weightedmean-nli-bitfit", 0.83074, 0.83981, "of an earlier training than the model's of the hub"},
    {"SGPT-5.8B-weightedmean-nli-bitfit", 0.85451, 0.85668, ""},
};

constexpr PublishedUseb kUseb[] = {
    {"SGPT-125M-weightedmean-nli-bitfit", {55.66, 11.13, 69.63, 68.01, 51.1075}, ""},
    {"SGPT-1.3B-weightedmean-nli-bitfit", {55.97, 13.47, 73.06, 72.77, 53.8175}, ""},
    {"SGPT-5.8B-weightedmean-nli-bitfit", {57.12, 16.03, 76.25, 77.15, 56.6375}, "trained with batches of 1024"},
    {"SGPT-5.8B-weightedmean-nli-bitfit", {55.85, 14.98, 74.44, 76.25, 55.38}, "the earlier one, batches of 48"},
    {"sgpt-bloom-1b7-nli", {57.44, 14.18, 73.99, 74.74, 55.0875}, ""},
};

template <class Table>
auto of_model(const Table& table, std::string_view model) {
  const std::string_view own = model.substr(model.rfind('/') + 1);  // npos + 1 is 0
  std::vector<std::remove_cvref_t<decltype(table[0])>> found;
  std::copy_if(std::begin(table), std::end(table), std::back_inserter(found),
               [&](const auto& row) { return row.model == own; });
  return found;
}

}  // namespace

std::vector<PublishedSts> published_sts(std::string_view model) { return of_model(kSts, model); }
std::vector<PublishedUseb> published_useb(std::string_view model) { return of_model(kUseb, model); }

}  // namespace sgpt
