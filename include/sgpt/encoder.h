// Texts to embeddings: prompt or brackets, tokenizer, cut, model, pooling. Every job of sgpt goes through this class,
// so that a text has one embedding, whoever asks.
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

/// Which brackets a text gets, `[` … `]` around a query, `{` … `}` around a document, or which prompt stands before it.
enum class TextKind {
  query,
  document,
  plain,  ///< neither: a sentence to be compared with others; with brackets as a query
};

/// What is put before texts, unchanged. Both unset: the prompt that the model folder has for them, if any.
struct PromptChoice {
  std::optional<std::string> text = {};  ///< this; "" for none
  std::optional<std::string> name = {};  ///< the folder's prompt of that name
};

/// What is left unset is taken from the model folder.
struct EncoderOptions {
  std::optional<bool> brackets = {};                ///< special brackets (`--specb`)
  std::vector<PoolingMode> pooling = {};            ///< empty: as the folder says
  std::optional<bool> causal = {};                  ///< a token sees none after it (`--attention`)
  std::optional<bool> normalize = {};               ///< scale every embedding to length 1
  std::optional<std::int64_t> max_seq_length = {};  ///< tokens a text, with prompt, brackets and special tokens
  std::int64_t token_budget = 0;                    ///< tokens computed at once; 0: chosen for speed on this machine
  int threads = 0;                                  ///< 0: all cores
  std::string backend = "cpu";                      ///< "cpu" or "reference"
  /// A safetensors file whose tensors stand in for the folder's own, such as trained.safetensors of a run's checkpoint.
  std::filesystem::path trained = {};
  std::filesystem::path adapter = {};  ///< folder of a PEFT adapter (LoRA) that is added to the weights; empty: none
  std::optional<ComputeType> compute = {};  ///< unset: f32, or int8 where the weights are
  PromptChoice query_prompt = {};
  PromptChoice document_prompt = {};
  PromptChoice plain_prompt = {};
  bool append_eos_token = false;  ///< the tokenizer's eos token behind every text, within max_seq_length
  std::optional<std::int64_t> truncate_dim = {};  ///< only so many first numbers of an embedding (Matryoshka)
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
  /// Loads a sentence-transformers folder, a plain causal-LM checkpoint, or a PEFT adapter whose base model is a folder
  /// of this machine. Throws UserError when something in the
  /// folder is missing, broken or not supported, and MachineError when memory is short.
  static Encoder load(const std::filesystem::path& model_folder, const EncoderOptions& options = {});

  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;
  ~Encoder();

  /// Embeds texts (UTF-8) in the order given: line ends become spaces, white space around a text is dropped, the prompt
  /// for texts of the kind is put before it, and what is beyond max_seq_length is cut. A text without a single token
  /// yields a zero vector. Throws UserError on invalid UTF-8, naming the text's place in `texts`, and when the model
  /// yields a number that is not finite.
  Embeddings encode(std::span<const std::string> texts, TextKind kind) const;
  Embeddings encode_queries(std::span<const std::string> texts) const { return encode(texts, TextKind::query); }
  Embeddings encode_documents(std::span<const std::string> texts) const { return encode(texts, TextKind::document); }

  /// The ids that the model sees for a text: on one line, stripped, behind its prompt, cut and bracketed.
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
