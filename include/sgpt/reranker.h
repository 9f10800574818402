// A decoder language model as a cross-encoder (SGPT-CE, arXiv 2202.08904): how probable a query is after a document.
// More exact than embeddings, and far slower: it re-ranks what a first search found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sgpt/compute_type.h"

namespace sgpt {

/// The paper's templates, "A" to "I"; "{}" in them is where the document goes. Nothing for another name.
std::optional<std::string_view> rerank_template(std::string_view name);

/// What Qwen3-Reranker is asked for, where nothing else is said.
inline constexpr std::string_view kRerankInstruction =
    "Given a web search query, retrieve relevant passages that answer the query";

struct RerankerOptions {
  /// What stands around the document, whose place is the first "{}"; the query follows its last character.
  std::string text_template = std::string(*rerank_template("G"));
  std::int64_t vocabulary_rows = 0;             ///< the first ones alone make the softmax; 0: all
  std::optional<std::int64_t> max_length = {};  ///< tokens that the model sees; unset: as many as it has positions;
                                                ///< of Qwen3-Reranker's question 8192
  std::int64_t token_budget = 0;                ///< tokens computed at once; 0: chosen for speed
  int threads = 0;                              ///< 0: all cores
  std::string backend = "cpu";                  ///< "cpu" or "reference"
  std::optional<ComputeType> compute = {};      ///< unset: f32, or int8 where the weights are
  std::filesystem::path adapter = {};           ///< folder of a PEFT adapter (LoRA) that is added to the weights
  /// Qwen3-Reranker's question in the place of the template: the score is the probability of "yes", against "no", that
  /// the document meets query and instruction. Unset: where the model is called so.
  std::optional<bool> yes_no = {};
  std::string instruction = std::string(kRerankInstruction);  ///< of that question
};

/// One question to the model. Views: the texts must stay while it is asked.
struct QueryDocument {
  std::string_view query;
  std::string_view document;
};

/// A loaded model. All const member functions may be called from several threads at once. The score of a pair has the
/// same bits whatever the other pairs, the token budget and the number of threads.
class Reranker {
 public:
  /// Loads a causal-LM checkpoint, or any folder whose output layer is tied to its embedding. Throws UserError when
  /// something in the folder is missing, broken or not supported, or when an option does not fit the model or the
  /// template has no "{}"; MachineError when memory is short.
  static Reranker load(const std::filesystem::path& model_folder, const RerankerOptions& options = {});

  Reranker(Reranker&&) noexcept;
  Reranker& operator=(Reranker&&) noexcept;
  ~Reranker();

  /// Σ log P(token of the query | the template with the document, the query's tokens before it), in the natural
  /// logarithm: higher is better. Texts are UTF-8 and taken as they are. What stands before the document stays, and so
  /// do the text after it and the query: of a document that does not fit the beginning is cut away. Pairs with the same
  /// document share its computation when they are asked together. With yes_no it is the probability of "yes", from 0 to
  /// 1, and of a pair that does not fit the document's end is cut away. Throws UserError, naming the pair's number, on
  /// invalid UTF-8, a query without a token or one that has no room, and when a score is not finite.
  std::vector<double> score(std::span<const QueryDocument> pairs) const;
  /// One query.
  std::vector<double> score(std::string_view query, std::span<const std::string> documents) const;

  const RerankerOptions& options() const;  ///< with nothing left unset
  const std::filesystem::path& folder() const;

  struct Parts;                ///< for sgpt's own rooms (src/encode/reranker_parts.h)
  const Parts& parts() const;  ///< valid as long as the reranker

 private:
  explicit Reranker(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sgpt
