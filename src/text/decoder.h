// From tokens back to a text (the "decoder" of a tokenizer.json): steps that each rewrite a list of strings, which are
// joined in the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

namespace sgpt {

class Decoder {
 public:
  /// Tokens are bytes, written in the byte alphabet.
  void add_byte_level();
  /// The replacements of `replace` within each string.
  void add_replace(Normalizer replace);
  /// Tokens <0x00> to <0xFF> in a row become the text of these bytes; if they are no UTF-8, a U+FFFD each.
  void add_byte_fallback();
  /// Joins all strings into one.
  void add_fuse();
  /// Takes up to `begin` times `content` (one character) from the begin of each string, up to `end` from its end.
  void add_strip(std::string content, std::uint32_t begin, std::uint32_t end);
  /// Writes a space for each `sign`, and nothing for those in the first string if the scheme puts any there.
  void add_metaspace(std::string sign, PrependScheme scheme);

  /// Without a step the tokens are joined by spaces.
  std::string decode(const std::vector<std::string_view>& tokens) const;

 private:
  using Strings = std::vector<std::string>;

  struct ByteLevel {};
  struct Replace {
    Normalizer replace;
  };
  struct ByteFallback {};
  struct Fuse {};
  struct Strip {
    std::string content;
    std::uint32_t begin;
    std::uint32_t end;
  };
  struct Metaspace {
    std::string sign;
    bool drops_first;
  };
  using Step = std::variant<ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace>;

  static void run(const ByteLevel& step, Strings& strings);
  static void run(const Replace& step, Strings& strings);
  static void run(const ByteFallback& step, Strings& strings);
  static void run(const Fuse& step, Strings& strings);
  static void run(const Strip& step, Strings& strings);
  static void run(const Metaspace& step, Strings& strings);

  std::vector<Step> steps_;
};

}  // namespace sgpt
