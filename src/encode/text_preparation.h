// From a text to the ids that the model sees: its line ends made spaces, stripped, put behind a prompt, tokenised, cut
// and put in brackets or, without brackets, in the special tokens that the tokenizer itself puts around a text.
// Everything that embeds or trains goes through it, so that a text is read the same way wherever it comes from.
#pragma once

#include <array>
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

/// Which end of a text that is too long stays away.
enum class CutEnd { own, right, left };  // own: as the tokenizer has it, which is right for nearly all

struct PreparedTexts {
  std::vector<TokenIds> ids;
  std::vector<std::size_t> cut;  ///< the texts, ascending, whose end did not fit
  std::int64_t skipped = 0;      ///< first tokens of each that pooling leaves out
};

/// Immutable; all member functions may be called from several threads at once.
class TextPreparation {
 public:
  /// What is left unset is taken from the folder; brackets that nobody speaks of are off, which one log line says.
  struct Options {
    std::optional<bool> brackets = {};                ///< `[` … `]` around queries, `{` … `}` around documents
    std::optional<std::int64_t> max_seq_length = {};  ///< tokens a text, brackets or special tokens included
    PromptChoice query_prompt = {};
    PromptChoice document_prompt = {};
    PromptChoice plain_prompt = {};
    bool append_eos_token = false;  ///< behind every text, and behind the special tokens that the tokenizer puts there
  };

  /// Throws UserError when the tokenizer has more ids than the model has embedding rows, when the length has no room
  /// for a token beside brackets or special tokens, when brackets meet a prompt or a further token, when a prompt is
  /// not there, or when the folder asks for lower-casing, which sgpt does not do.
  TextPreparation(Tokenizer tokenizer, const ModelFolder& folder, const Options& options);

  /// The ids of a text, at most max_seq_length(); empty only for an empty text with nothing around. Throws UserError on
  /// invalid UTF-8, naming the byte.
  TokenIds ids(std::string_view text, TextKind kind) const;

  /// The same with the cut at an end of the caller's choice; `cut` tells whether there was one.
  TokenIds ids(std::string_view text, TextKind kind, CutEnd end, bool& cut) const;
  /// How many ids it would be without a cut.
  std::int64_t uncut_tokens(std::string_view text, TextKind kind) const;

  /// The ids of many texts, in their order, on all threads of the caller's ThreadScope. Throws UserError on invalid
  /// UTF-8, naming the text's place and the byte.
  PreparedTexts prepare(std::span<const std::string> texts, TextKind kind, TextPlaces places = {}) const;
  std::vector<TokenIds> ids(std::span<const std::string> texts, TextKind kind) const {
    return prepare(texts, kind).ids;
  }

  const Tokenizer& tokenizer() const { return tokenizer_; }
  bool brackets() const { return brackets_; }
  std::int64_t max_seq_length() const { return max_seq_length_; }

  const std::string& prompt(TextKind kind) const { return of(kind).prompt; }
  /// How many first tokens of such a text pooling leaves out, where it has as many: those of a prompt, in a folder
  /// whose pooling does not look at it.
  std::int64_t skipped(TextKind kind) const { return of(kind).skipped; }
  /// Log lines on what may not be meant with texts of this kind: a prompt that leaves them no room, prompts that stay
  /// unused.
  void tell(TextKind kind) const;

 private:
  struct Pair {
    std::int32_t open;
    std::int32_t close;
  };

  /// What stands before and around texts of a kind.
  struct Kind {
    std::string prompt;
    std::string remark;              // on prompts that such texts do without
    std::int64_t prompt_tokens = 0;  // tokenized alone
    std::int64_t skipped = 0;
    Pair brackets{};
  };
  const Kind& of(TextKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }
  std::size_t around() const { return brackets_ ? std::size_t{2} : around_.size(); }
  void add_eos_token(const ModelFolder& folder);
  void set_prompts(const ModelFolder& folder, const Options& options);
  void require_no_prompts(const ModelFolder& folder) const;
  std::string_view behind_prompt(std::string_view text, TextKind kind, std::string& storage) const;

  Tokenizer tokenizer_;
  bool brackets_;
  std::int64_t max_seq_length_;
  SpecialTokens around_;  // where there are no brackets
  std::array<Kind, 3> kinds_;
  std::string name_;  // of the model, for log lines
};

}  // namespace sgpt
