// One call of an Encoder that differs from what it was loaded with (another prompt, length or form of the embeddings,
// of the same weights), that tells how far it has come, and that can be ended.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sgpt/encoder.h"
#include "sgpt/error.h"

namespace sgpt {

/// What is left unset is the encoder's own.
struct EncodeCall {
  TextKind kind = TextKind::document;
  std::optional<std::string> prompt = {};           ///< before every text, unchanged; "" for none
  std::optional<std::int64_t> max_seq_length = {};  ///< at most the positions that the model has
  std::optional<std::int64_t> truncate_dim = {};    ///< only so many first numbers of an embedding
  std::optional<bool> normalize = {};               ///< scale every embedding, as it was cut, to length 1
  /// Told, in the calling thread, how many texts are done: before the first and after every batch (of the encoder's
  /// token_budget). False ends the call. What it throws ends the call and is thrown on.
  std::function<bool(std::int64_t done)> go_on = {};
};

/// The call was ended by its `go_on`.
class Stopped : public Error {
 public:
  using Error::Error;
};

/// As Encoder::encode: [texts, truncate_dim]. Thread-safe. Throws UserError also where `call` does not fit the model: a
/// prompt beside brackets, a length without room for a token, more numbers than an embedding has; Stopped when it was
/// ended.
Embeddings encode(const Encoder& encoder, std::span<const std::string> texts, const EncodeCall& call);

/// As Encoder::tokenize.
std::vector<std::int32_t> tokenize(const Encoder& encoder, const std::string& text, const EncodeCall& call);

}  // namespace sgpt
