// Tokens and their ids, both ways. The token strings lie end to end in one piece of memory: BLOOM has 250,680 of them,
// and start-up time matters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

class Vocabulary {
 public:
  /// Ids stay below this, so that a broken file can't ask for absurd tables.
  static constexpr std::uint32_t kIdLimit = 1u << 24;

  explicit Vocabulary(std::size_t expected_tokens = 0);

  enum class Added { yes, token_is_taken, id_is_taken };
  /// `id` is below kIdLimit. Changes nothing when the token or the id is there already.
  Added add(std::string_view token, std::uint32_t id);

  std::optional<std::uint32_t> id_of(std::string_view token) const;
  /// Nothing for an id that no token has. Valid until the next add().
  std::optional<std::string_view> token_of(std::uint32_t id) const;

  std::size_t size() const { return size_; }
  /// Every id is below it.
  std::uint32_t id_end() const { return static_cast<std::uint32_t>(tokens_.size()); }

 private:
  struct Token {
    std::size_t begin = kMissing;
    std::size_t length = 0;
  };
  struct Slot {
    std::uint32_t hash = 0;  // its upper half, to compare few strings
    std::uint32_t id = kNoId;
  };
  static constexpr std::size_t kMissing = static_cast<std::size_t>(-1);
  static constexpr std::uint32_t kNoId = 0xFFFFFFFFu;

  std::string_view text_of(const Token& token) const { return {characters_.data() + token.begin, token.length}; }
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const;
  void grow();

  std::string characters_;
  std::vector<Token> tokens_;  // [id]
  std::vector<Slot> slots_;    // open addressing, a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace sgpt
