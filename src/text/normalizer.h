// Rewrites a text before it is cut into words (the "normalizer" of a tokenizer.json).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/regex.h"

namespace sgpt {

class Normalizer {
 public:
  /// Where a changed text is written; the result refers to it.
  using Buffers = std::array<std::string, 2>;

  void add_nfc();
  /// Puts `prefix` before every text but the empty one.
  void add_prepend(std::string prefix);
  /// Puts `content` in the place of each `literal` (not empty), or of each match.
  void add_replace(std::string literal, std::string content);
  void add_replace(Regex pattern, std::string content);

  /// The steps in the order in which they were added. The text is valid UTF-8.
  std::string_view apply(std::string_view text, Buffers& buffers) const;

 private:
  struct Nfc {};
  struct Prepend {
    std::string prefix;
  };
  struct ReplaceLiteral {
    std::string literal;
    std::string content;
  };
  struct ReplaceMatches {
    Regex pattern;
    std::string content;
  };
  using Step = std::variant<Nfc, Prepend, ReplaceLiteral, ReplaceMatches>;

  // The text itself where nothing changes, else what is written into `buffer`.
  static std::string_view run(const Nfc& step, std::string_view text, std::string& buffer);
  static std::string_view run(const Prepend& step, std::string_view text, std::string& buffer);
  static std::string_view run(const ReplaceLiteral& step, std::string_view text, std::string& buffer);
  static std::string_view run(const ReplaceMatches& step, std::string_view text, std::string& buffer);

  std::vector<Step> steps_;
};

/// Appends `text` with `content` in the place of each `literal`, which is not empty.
void append_replaced(std::string_view text, std::string_view literal, std::string_view content, std::string& result);

}  // namespace sgpt
