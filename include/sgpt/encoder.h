// Texts to embeddings: tokenizer, brackets, cut, model, pooling. Every job of sgpt goes through this class, so that a
// text has one embedding, whoever asks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sgpt/compute_type.h"
#include "sgpt/pooling.h"

namespace sgpt {

/// Which brackets a text gets: `[` … `]` around a query, `{` … `}` around a document.
enum class TextKind { query, document };

/// What is left unset is taken from the model folder.
struct EncoderOptions {
  std::optional<bool> brackets = {};                ///< special brackets (`--specb`)
  std::vector<PoolingMode> pooling = {};            ///< empty: as the folder says
  std::optional<bool> causal = {};                  ///< a token sees none after it (`--attention`)
  std::optional<bool> normalize = {};               ///< scale every embedding to length 1
  std::optional<std::int64_t> max_seq_length = {};  ///< tokens a text, both brackets included
  std::int64_t token_budget = 0;                    ///< tokens computed at once; 0: chosen for speed on this machine
  int threads = 0;                                  ///< 0: all cores
  std::string backend = "cpu";                      ///< "cpu" or "reference"
  /// A safetensors file whose tensors stand in for the folder's own, such as trained.safetensors of a run's checkpoint.
  std::filesystem::path trained = {};
  std::optional<ComputeType> compute = {};  ///< unset: f32, or int8 where the weights are
};

/// One embedding a row: float32 [rows, dimension], row-major.
struct Embeddings {
  std::int64_t rows = 0;
  std::int64_t dimension = 0;
  std::vector<float> values;
  std::vector<std::size_t> cut = {};  ///< the rows, ascending, whose texts were longer than max_seq_length

  std::span<const float> row(std::int64_t i) const {
    return {values.data() + i * dimension, static_cast<std::size_t>(dimension)};
  }
};

/// A loaded model. All const member functions may be called from several threads at once. The embedding of a text has
/// the same bits whatever its batch-mates, its place, the token budget and the number of threads.
class Encoder {
 public:
  /// Loads a sentence-transformers folder or a plain causal-LM checkpoint. Throws UserError when something in the
  /// folder is missing, broken or not supported, and MachineError when memory is short.
  static Encoder load(const std::filesystem::path& model_folder, const EncoderOptions& options = {});

  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;
  ~Encoder();

  /// Embeds texts (UTF-8) in the order given: line ends become spaces, white space around a text is dropped, and what
  /// is beyond max_seq_length is cut. A text without a single token yields a zero vector. Throws UserError on invalid
  /// UTF-8, naming the text's place in `texts`, and when the model yields a number that is not finite.
  Embeddings encode(std::span<const std::string> texts, TextKind kind) const;
  Embeddings encode_queries(std::span<const std::string> texts) const { return encode(texts, TextKind::query); }
  Embeddings encode_documents(std::span<const std::string> texts) const { return encode(texts, TextKind::document); }

  /// The ids that the model sees for a text: on one line, stripped, cut and bracketed.
  std::vector<std::int32_t> tokenize(const std::string& text, TextKind kind) const;

  std::int64_t dimension() const;         ///< floats an embedding
  const EncoderOptions& options() const;  ///< with nothing left unset
  const std::filesystem::path& folder() const;

  struct Parts;                ///< tokenizer, backend, model: for sgpt's own rooms (src/encode/encoder_parts.h)
  const Parts& parts() const;  ///< valid as long as the encoder

 private:
  explicit Encoder(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sgpt
