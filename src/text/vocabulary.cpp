#include "text/vocabulary.h"

#include "text/hash.h"

namespace sgpt {

namespace {

std::uint32_t upper_half(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace

Vocabulary::Vocabulary(std::size_t expected_tokens) {
  std::size_t slots = 16;
  while (slots < expected_tokens * 2) slots *= 2;
  slots_.resize(slots);
  tokens_.reserve(expected_tokens);
  characters_.reserve(expected_tokens * 8);
}

Vocabulary::Added Vocabulary::add(std::string_view token, std::uint32_t id) {
  if ((size_ + 1) * 2 > slots_.size()) grow();
  const std::uint64_t hash = hash_of(token);
  Slot& slot = slots_[slot_of(token, hash)];
  if (slot.id != kNoId) return Added::token_is_taken;
  if (id < tokens_.size() && tokens_[id].begin != kMissing) return Added::id_is_taken;
  if (id >= tokens_.size()) tokens_.resize(id + 1);
  tokens_[id] = {characters_.size(), token.size()};
  characters_ += token;
  slot = {upper_half(hash), id};
  ++size_;
  return Added::yes;
}

std::optional<std::uint32_t> Vocabulary::id_of(std::string_view token) const {
  const Slot& slot = slots_[slot_of(token, hash_of(token))];
  return slot.id == kNoId ? std::nullopt : std::optional(slot.id);
}

std::optional<std::string_view> Vocabulary::token_of(std::uint32_t id) const {
  if (id >= tokens_.size() || tokens_[id].begin == kMissing) return std::nullopt;
  return text_of(tokens_[id]);
}

/// Where the token is, or where it would be put.
std::size_t Vocabulary::slot_of(std::string_view token, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash & mask;
  while (slots_[i].id != kNoId && (slots_[i].hash != upper_half(hash) || text_of(tokens_[slots_[i].id]) != token)) {
    i = (i + 1) & mask;
  }
  return i;
}

void Vocabulary::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id == kNoId) continue;
    const std::string_view token = text_of(tokens_[slot.id]);
    slots_[slot_of(token, hash_of(token))] = slot;
  }
}

}  // namespace sgpt
