#include "text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

#include "sgpt/error.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFFu;

/// Up to here looking at all pairs again and again is faster than a heap.
constexpr std::size_t kShortWord = 48;

/// A symbol of a word of any length: in a doubly linked list, with the rule for it and its right neighbour.
struct Symbol {
  std::uint32_t id;
  std::uint32_t previous;
  std::uint32_t next;
  MergeRule rule;
};

/// A join that was possible when it was put on the heap, as one number: lowest rank first, then leftmost. It still is
/// when the rule at its position has that rank.
constexpr std::uint64_t candidate(std::uint32_t rank, std::uint32_t position) {
  return (static_cast<std::uint64_t>(rank) << 32) | position;
}

}  // namespace

Bpe::Bpe(BpeModel model) : model_(std::move(model)) {
  symbol_of_byte_.fill(kNone);
  if (!model_.byte_level && !model_.byte_fallback) return;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const std::string token = model_.byte_level ? letters_of({&c, 1}) : byte_token(static_cast<unsigned char>(byte));
    symbol_of_byte_[byte] = model_.vocabulary.id_of(token).value_or(kNone);
  }
}

std::span<const std::int32_t> Bpe::ids_of(std::string_view word, Workspace& workspace) const {
  const bool cached = word.size() <= WordCache::kLongestWord;
  const std::uint64_t hash = cached ? hash_of(word) : 0;
  if (cached) {
    if (const auto ids = workspace.cache.find(word, hash)) return *ids;
  }
  if (!model_.ignore_merges || !whole_word(word, workspace)) {
    first_symbols(word, workspace.symbols);
    if (workspace.symbols.size() <= kShortWord) {
      merge_short(workspace);
    } else {
      merge_long(workspace.symbols);
    }
  }
  workspace.ids.assign(workspace.symbols.begin(), workspace.symbols.end());
  if (cached) workspace.cache.put(word, hash, workspace.ids);
  return workspace.ids;
}

bool Bpe::whole_word(std::string_view word, Workspace& workspace) const {
  const auto id = model_.byte_level ? model_.vocabulary.id_of(letters_of(word)) : model_.vocabulary.id_of(word);
  if (id) workspace.symbols.assign(1, *id);
  return id.has_value();
}

void Bpe::first_symbols(std::string_view word, std::vector<std::uint32_t>& symbols) const {
  if (word.size() >= kNone) throw UserError(fmt::format("a word of {} bytes is too long to be tokenized", word.size()));
  symbols.clear();
  symbols.reserve(word.size());
  if (model_.byte_level) {
    for (const char c : word) {
      const std::uint32_t symbol = symbol_of_byte_[static_cast<unsigned char>(c)];
      if (symbol != kNone) symbols.push_back(symbol);
    }
    return;
  }
  first_characters(word, symbols);
}

/// As `tokenizers` has it: an unknown token waits for a character of the vocabulary, and bytes overtake it.
void Bpe::first_characters(std::string_view word, std::vector<std::uint32_t>& symbols) const {
  bool unknown_waits = false;
  const auto put_unknown = [&] {
    if (unknown_waits) symbols.push_back(*model_.unknown);
    unknown_waits = false;
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view character = word.substr(at, utf8_length(static_cast<unsigned char>(word[at])));
    at += character.size();
    if (const auto id = model_.vocabulary.id_of(character)) {
      put_unknown();
      symbols.push_back(*id);
    } else if (!bytes_as_tokens(character, symbols) && model_.unknown) {
      if (!model_.fuse_unknown) put_unknown();
      unknown_waits = true;
    }
  }
  put_unknown();
}

bool Bpe::bytes_as_tokens(std::string_view character, std::vector<std::uint32_t>& symbols) const {
  const auto symbol_of = [&](char c) { return symbol_of_byte_[static_cast<unsigned char>(c)]; };
  if (!model_.byte_fallback) return false;
  if (std::any_of(character.begin(), character.end(), [&](char c) { return symbol_of(c) == kNone; })) return false;
  std::transform(character.begin(), character.end(), std::back_inserter(symbols), symbol_of);
  return true;
}

MergeRule Bpe::rule_for(std::uint32_t left, std::uint32_t right) const {
  const MergeRule* rule = model_.merges.find(pair_key(left, right));
  return rule ? *rule : MergeRule{};
}

void Bpe::merge_short(Workspace& workspace) const {
  auto& symbols = workspace.symbols;  // [n]
  auto& rules = workspace.rules;      // [n − 1], of symbols i and i + 1
  rules.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) rules.push_back(rule_for(symbols[i], symbols[i + 1]));
  while (!rules.empty()) {
    const auto best = std::min_element(rules.begin(), rules.end(), [](auto& a, auto& b) { return a.rank < b.rank; });
    if (best->rank == kNone) return;
    const auto i = best - rules.begin();
    const auto at = static_cast<std::size_t>(i);
    symbols[at] = best->result;
    symbols.erase(symbols.begin() + i + 1);
    rules.erase(best);
    if (at > 0) rules[at - 1] = rule_for(symbols[at - 1], symbols[at]);
    if (at < rules.size()) rules[at] = rule_for(symbols[at], symbols[at + 1]);
  }
}

void Bpe::merge_long(std::vector<std::uint32_t>& symbols) const {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<Symbol> list(count);
  std::vector<std::uint64_t> heap;
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    list[i] = {symbols[i], i == 0 ? kNone : i - 1, last ? kNone : i + 1,
               last ? MergeRule{} : rule_for(symbols[i], symbols[i + 1])};
    if (list[i].rule.rank != kNone) heap.push_back(candidate(list[i].rule.rank, i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());

  const auto update_rule = [&](std::uint32_t position) {
    Symbol& left = list[position];
    left.rule = left.next == kNone ? MergeRule{} : rule_for(left.id, list[left.next].id);
    if (left.rule.rank == kNone) return;
    heap.push_back(candidate(left.rule.rank, position));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const std::uint64_t best = heap.back();
    heap.pop_back();
    const auto position = static_cast<std::uint32_t>(best);
    Symbol& left = list[position];
    if (left.rule.rank != best >> 32) continue;  // joined with another meanwhile
    Symbol& right = list[left.next];
    left.id = left.rule.result;
    left.next = right.next;
    right.rule = {};
    if (left.next != kNone) list[left.next].previous = position;
    update_rule(position);
    if (left.previous != kNone) update_rule(left.previous);
  }

  symbols.clear();
  for (std::uint32_t i = 0; i != kNone; i = list[i].next) symbols.push_back(list[i].id);
}

}  // namespace sgpt
