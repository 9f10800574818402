// What every interface's request for embeddings comes down to, and what it is answered from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "encode/text_preparation.h"
#include "serve/json_body.h"
#include "sgpt/encoder.h"

namespace sgpt::serve {

/// Texts, or token ids that are taken as they are.
struct Inputs {
  std::string field;  ///< "inputs", "input", "texts"
  bool list = true;   ///< false: one, given without a list
  std::vector<std::string_view> texts = {};
  std::vector<TokenIds> ids = {};

  std::size_t size() const { return texts.size() + ids.size(); }
  /// "inputs[17]", or "inputs" where it is no list.
  std::string place(std::size_t i) const;
};

/// Which inputs a route takes.
struct InputRules {
  std::size_t most = 2048;
  std::string ids_refused = {};  ///< why token ids are refused; empty: they are taken
};

/// A text, or a list of texts; ids alike. Throws Failure: validation for other types, mixtures and too many; empty for
/// none.
Inputs read_inputs(simdjson::dom::element element, std::string field, const InputRules& rules);

struct EmbedRequest {
  std::shared_ptr<const JsonBody> body = {};  ///< what texts point into
  Inputs inputs = {};
  std::string model = {};             ///< "" where none was named
  std::optional<TextKind> kind = {};  ///< as the body says
  std::optional<bool> truncate = {};  ///< unset: as the server does
  CutEnd cut = CutEnd::own;
  bool normalize = true;
  std::optional<std::int64_t> dimensions = {};
  bool base64 = false;
};

/// The kind that a body says in `prompt_name`, `input_type` or `task`. Throws Failure for a word that says neither.
std::optional<TextKind> read_kind(const Fields& fields);

/// The kind that the end of a model's name says (`NAME:query`), which is taken off.
std::optional<TextKind> kind_of_name(std::string& name);

/// `dimensions`, checked but for the model's own. Throws Failure when it is not positive.
std::optional<std::int64_t> read_dimensions(const Fields& fields, std::string_view field);

/// Embeddings, as they are sent. All float32 [rows, dimension], row-major.
struct EmbedAnswer {
  std::int64_t rows = 0, dimension = 0;
  std::vector<float> values = {};
  TextKind kind = TextKind::document;
  bool kind_by_default = false;
  std::int64_t tokens = 0, characters = 0;
  std::vector<std::size_t> cut = {};  ///< inputs that were too long
  std::size_t cached = 0;
  std::chrono::steady_clock::duration prepared{}, queued{}, computed{};

  std::span<const float> row(std::int64_t i) const {
    return {values.data() + i * dimension, static_cast<std::size_t>(dimension)};
  }
};

/// "[0.25,-1]": numbers that are read back as the same floats.
void append_numbers(std::string& json, std::span<const float> values);
/// Little-endian float32 in base64, with quotes.
void append_base64(std::string& json, std::span<const float> values);

}  // namespace sgpt::serve
