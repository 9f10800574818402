// Regular expressions in Oniguruma's own syntax over UTF-8: the engine and the syntax that `tokenizers` uses. Classes
// of characters are those of our own tables (pattern.h), whatever Oniguruma is installed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "text/function_ref.h"

namespace sgpt {

/// A compiled pattern; const member functions may be called from several threads at once.
class Regex {
 public:
  /// Throws UserError with the engine's reason when the pattern is malformed, and as with_own_classes() does.
  explicit Regex(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// Calls `visit(begin, end)` for each match from left to right, until it returns false. A match may be empty, but not
  /// right behind the one before. Throws UserError when the engine gives up (a pattern that backtracks without end).
  void for_each_match(std::string_view text, FunctionRef<bool(std::size_t, std::size_t)> visit) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The pattern that matches exactly this text.
std::string escaped_pattern(std::string_view text);

}  // namespace sgpt
