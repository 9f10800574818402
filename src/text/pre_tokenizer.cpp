#include "text/pre_tokenizer.h"

#include <optional>
#include <string>
#include <utility>

#include "text/normalizer.h"
#include "text/word_scanner.h"

namespace sgpt {

namespace {

using Emit = PreTokenizer::Emit;

/// Turns matches and the stretches between them into pieces, one behaviour for all of them. A piece is held back until
/// it is known that nothing joins it.
class PieceBuilder {
 public:
  PieceBuilder(std::string_view text, SplitBehavior behavior, Emit emit)
      : text_(text), behavior_(behavior), emit_(emit) {}

  bool add(std::size_t begin, std::size_t end, bool is_match) {
    if (behavior_ == SplitBehavior::removed && is_match) return true;
    if (held_ && joins(is_match)) {
      held_end_ = end;
    } else {
      if (!finish()) return false;
      held_ = true;
      held_begin_ = begin;
      held_end_ = end;
    }
    last_is_match_ = is_match;
    return true;
  }

  /// Emits the piece held back.
  bool finish() {
    if (!held_) return true;
    held_ = false;
    return held_begin_ == held_end_ || emit_(text_.substr(held_begin_, held_end_ - held_begin_));
  }

 private:
  bool joins(bool is_match) const {
    switch (behavior_) {
      case SplitBehavior::contiguous: return is_match == last_is_match_;
      case SplitBehavior::merged_with_previous: return is_match && !last_is_match_;
      case SplitBehavior::merged_with_next: return last_is_match_ && !is_match;
      case SplitBehavior::isolated:
      case SplitBehavior::removed: return false;
    }
    return false;
  }

  std::string_view text_;
  SplitBehavior behavior_;
  Emit emit_;
  bool held_ = false;
  std::size_t held_begin_ = 0;
  std::size_t held_end_ = 0;
  bool last_is_match_ = false;
};

}  // namespace

void PreTokenizer::add_split(std::string_view pattern, SplitBehavior behavior, bool invert) {
  // Isolated keeps everything that the text has, so inverting it changes nothing.
  const bool isolated = behavior == SplitBehavior::isolated;
  bool (*scanner)(std::string_view, Emit) = nullptr;
  if (isolated && pattern == kBloomPattern) scanner = scan_bloom_words;
  if (isolated && pattern == kGpt2Pattern) scanner = scan_gpt2_words;
  if (isolated && pattern == kLlama3Pattern) scanner = scan_llama3_words;
  if (isolated && pattern == kQwenPattern) scanner = scan_qwen_words;
  if (!scanner) return add_split_by_engine(pattern, behavior, invert);
  splits_.push_back({std::nullopt, behavior, invert, scanner});
}

void PreTokenizer::add_split_by_engine(std::string_view pattern, SplitBehavior behavior, bool invert) {
  splits_.push_back({Regex(pattern), behavior, invert, nullptr});
}

void PreTokenizer::set_metaspace(std::string sign, PrependScheme scheme, bool split) {
  if (split) add_split(escaped_pattern(sign), SplitBehavior::merged_with_next, false);
  metaspace_ = {std::move(sign), scheme};
}

void PreTokenizer::set_byte_level(bool add_prefix_space, bool use_pattern) {
  byte_level_begin_ = splits_.size();
  set_prefix_space(add_prefix_space);
  if (use_pattern) add_split(kGpt2Pattern, SplitBehavior::isolated, false);
  byte_level_ = true;
}

PreTokenizer PreTokenizer::bloom() {
  PreTokenizer result;
  result.add_split(kBloomPattern, SplitBehavior::isolated, false);
  result.set_byte_level(false, false);
  return result;
}

bool PreTokenizer::for_each_word(std::string_view text, Emit emit, bool begins) const {
  if (!metaspace_ || text.empty()) return run(0, text, emit);
  const auto& [sign, scheme] = *metaspace_;
  const bool may_prepend = scheme == PrependScheme::always || (scheme == PrependScheme::first && begins);
  std::string signs;
  signs.reserve(text.size() + text.size() / 2 + sign.size());
  if (may_prepend && !text.starts_with(' ') && !text.starts_with(sign)) signs = sign;
  append_replaced(text, " ", sign, signs);
  return run(0, signs, emit);
}

bool PreTokenizer::run(std::size_t step, std::string_view text, Emit emit) const {
  if (text.empty()) return true;
  std::string with_space;
  if (step == prefix_space_before_ && text.front() != ' ') {
    with_space.reserve(text.size() + 1);
    with_space.push_back(' ');
    with_space += text;
    text = with_space;
  }
  if (step == splits_.size()) return emit(text);

  const Split& split = splits_[step];
  const bool is_last = step + 1 == splits_.size() && prefix_space_before_ != splits_.size();
  if (split.scanner && is_last) return split.scanner(text, emit);
  const auto next = [&](std::string_view piece) { return run(step + 1, piece, emit); };
  if (split.scanner) return split.scanner(text, next);

  PieceBuilder pieces(text, split.behavior, next);
  std::size_t done = 0;
  bool goes_on = true;
  split.regex->for_each_match(text, [&](std::size_t begin, std::size_t end) {
    goes_on = (begin == done || pieces.add(done, begin, split.invert)) && pieces.add(begin, end, !split.invert);
    done = end;
    return goes_on;
  });
  if (goes_on && done != text.size()) goes_on = pieces.add(done, text.size(), split.invert);
  return goes_on && pieces.finish();
}

}  // namespace sgpt
