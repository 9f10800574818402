// The model that is served: texts to inputs, inputs to rows, rows to embeddings as they are sent. Every embedding has
// the bits that Encoder::encode gives for its text.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serve/embed_request.h"
#include "serve/work.h"
#include "sgpt/encoder.h"

namespace sgpt::serve {

/// A batch as it was measured.
struct BatchTime {
  std::int64_t tokens = 0;
  double seconds = 0;
};

/// How a server cuts work into batches, and how fast it is.
struct BatchPlan {
  std::int64_t batch_tokens = 0;
  double tokens_a_second = 0;  ///< of a lane
  std::vector<BatchTime> measured = {};
};

/// Const member functions may be called from several threads at once.
class ServedModel {
 public:
  /// Throws as Encoder::load. `name` is the model's to clients; "": the folder's. Each call of compute() has so many
  /// threads.
  ServedModel(const std::filesystem::path& folder, const EncoderOptions& options, std::string name, int threads);

  const std::string& name() const { return name_; }
  const Encoder& encoder() const { return encoder_; }
  std::int64_t dimension() const { return encoder_.dimension(); }
  std::int64_t longest() const;  ///< tokens of an input
  /// Whether it makes a difference what kind a text is of.
  bool knows_kinds() const;
  std::string dtype() const;

  /// The inputs of a request, appended, and of its answer what is known by now. `truncate` where the request does not
  /// say. Throws Failure.
  EmbedAnswer prepare(const EmbedRequest& request, TextKind kind, bool truncate, std::vector<Input>& inputs) const;

  /// One row an input; null where it is not finite.
  std::vector<Row> compute(std::span<const Input* const> inputs) const;

  /// Cuts and normalises rows into the answer, as the request wants them.
  void finish(const EmbedRequest& request, std::span<const Row> rows, EmbedAnswer& answer) const;

  /// Computes batches of growing size, which also makes them ready for use. `wanted` tokens, or with 0 the most that
  /// take no more than a quarter of a second; at least the longest input.
  BatchPlan measure(std::int64_t wanted) const;

 private:
  Input prepared(const EmbedRequest& request, std::size_t i, TextKind kind, bool truncate, EmbedAnswer& answer) const;
  [[noreturn]] void refuse_length(const std::string& place, std::int64_t tokens) const;

  Encoder encoder_;
  std::string name_;
  bool normalized_;  // by the model itself
  int threads_;
};

}  // namespace sgpt::serve
