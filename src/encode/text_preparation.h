// From a text to the ids that the model sees: its line ends made spaces, stripped, tokenised, cut and put in brackets
// or, without brackets, in the special tokens that the tokenizer itself puts around a text. Everything that embeds or
// trains goes through it, so that a text is read the same way wherever it comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "encode/text_places.h"
#include "model/model_folder.h"
#include "sgpt/encoder.h"
#include "sgpt/tokenizer.h"

namespace sgpt {

/// The ids of one text.
using TokenIds = std::vector<std::int32_t>;

struct PreparedTexts {
  std::vector<TokenIds> ids;
  std::vector<std::size_t> cut;  ///< the texts, ascending, whose end did not fit
};

/// Immutable; all member functions may be called from several threads at once.
class TextPreparation {
 public:
  /// What is left unset is taken from the folder; brackets that nobody speaks of are off, which one log line says.
  struct Options {
    std::optional<bool> brackets = {};                ///< `[` … `]` around queries, `{` … `}` around documents
    std::optional<std::int64_t> max_seq_length = {};  ///< tokens a text, brackets or special tokens included
  };

  /// Throws UserError when the tokenizer has more ids than the model has embedding rows, when the length has no room
  /// for a token beside brackets or special tokens, or when the folder asks for lower-casing, which sgpt does not do.
  TextPreparation(Tokenizer tokenizer, const ModelFolder& folder, const Options& options);

  /// The ids of a text, at most max_seq_length(); empty only for an empty text with nothing around. Throws UserError on
  /// invalid UTF-8, naming the byte.
  TokenIds ids(std::string_view text, TextKind kind) const;

  /// The ids of many texts, in their order, on all threads of the caller's ThreadScope. Throws UserError on invalid
  /// UTF-8, naming the text's place and the byte.
  PreparedTexts prepare(std::span<const std::string> texts, TextKind kind, TextPlaces places = {}) const;
  std::vector<TokenIds> ids(std::span<const std::string> texts, TextKind kind) const {
    return prepare(texts, kind).ids;
  }

  const Tokenizer& tokenizer() const { return tokenizer_; }
  bool brackets() const { return brackets_; }
  std::int64_t max_seq_length() const { return max_seq_length_; }

 private:
  struct Pair {
    std::int32_t open;
    std::int32_t close;
  };

  TokenIds ids(std::string_view text, TextKind kind, bool& cut) const;

  Tokenizer tokenizer_;
  bool brackets_;
  std::int64_t max_seq_length_;
  Pair query_{};
  Pair document_{};
};

}  // namespace sgpt
