// Cuts a text into the words that BPE works on (the "pre_tokenizer" of a tokenizer.json).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/function_ref.h"
#include "text/regex.h"

namespace sgpt {

/// What becomes of a match: a word of its own, dropped, put to the piece before or behind, or joined with adjacent
/// matches.
enum class SplitBehavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };

/// Which texts get a sign for a space in front: those that begin a whole text, all, or none.
enum class PrependScheme { first, always, never };

class PreTokenizer {
 public:
  /// Receives the words from left to right; returns false to stop.
  using Emit = FunctionRef<bool(std::string_view)>;

  /// With `invert` the stretches between matches count as matches, and the other way round.
  void add_split(std::string_view pattern, SplitBehavior behavior, bool invert);

  /// Writes `sign` for each space, and before a text that does not begin with it; the first step. With `split` each
  /// sign begins a word.
  void set_metaspace(std::string sign, PrependScheme scheme, bool split);
  bool has_steps() const { return metaspace_ || !splits_.empty() || byte_level_; }

  /// `use_pattern`: split by GPT-2's pattern. From here on words are bytes, written in the byte alphabet; it is the
  /// last step.
  void set_byte_level(bool add_prefix_space, bool use_pattern);
  bool byte_level() const { return byte_level_; }

  /// Whether a space is put before each piece that has none; to be set for byte-level words only.
  bool prefix_space() const { return prefix_space_before_ != kNowhere; }
  void set_prefix_space(bool add) { prefix_space_before_ = add ? byte_level_begin_ : kNowhere; }

  /// The same, but known patterns through the regular-expression engine as well: the slow way, for tests.
  void add_split_by_engine(std::string_view pattern, SplitBehavior behavior, bool invert);

  /// BLOOM's: split by its pattern, then bytes.
  static PreTokenizer bloom();

  /// Calls `emit` for each word (never an empty one) until it returns false; then returns false itself. The text is
  /// valid UTF-8; words are in the text's own bytes, whether byte-level or not. `begins`: nothing stands before it in
  /// the text that it is cut from.
  bool for_each_word(std::string_view text, Emit emit, bool begins = true) const;

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  struct Split {
    std::optional<Regex> regex;  // where there is no scanner
    SplitBehavior behavior;
    bool invert;
    bool (*scanner)(std::string_view, Emit);
  };

  struct Metaspace {
    std::string sign;
    PrependScheme scheme;
  };

  bool run(std::size_t step, std::string_view text, Emit emit) const;

  std::optional<Metaspace> metaspace_;
  std::vector<Split> splits_;
  std::size_t byte_level_begin_ = 0;            // the split with which ByteLevel begins
  std::size_t prefix_space_before_ = kNowhere;  // the split whose input gets a leading space
  bool byte_level_ = false;
};

}  // namespace sgpt
