#include "encode/cut_texts.h"

#include "base/log.h"

namespace sgpt {
namespace {

/// 1400 as "1,400".
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto place = std::ssize(digits) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), 1, ',');
  }
  return digits;
}

}  // namespace

void CutTexts::add(std::size_t texts, std::span<const std::size_t> cut, TextPlaces places) {
  const std::lock_guard lock(mutex_);
  if (cut_ == 0 && !cut.empty()) first_ = place_of(cut.front(), texts, places);
  texts_ += static_cast<std::int64_t>(texts);
  cut_ += std::ssize(cut);
}

void CutTexts::tell(std::int64_t max_seq_length) const {
  const std::lock_guard lock(mutex_);
  if (cut_ == 0) return;
  log::warning(fmt::format("{} of {} text{} cut at {} tokens, the first {}", grouped(cut_), grouped(texts_),
                           texts_ == 1 ? " was" : "s were", max_seq_length, first_));
}

}  // namespace sgpt
