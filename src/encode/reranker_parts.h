// What a Reranker is made of, for those who work with its parts: jobs that must know their model, benchmarks and tests.
#pragma once

#include <memory>
#include <optional>

#include "backend/backend.h"
#include "encode/encoder_parts.h"
#include "encode/pair_ids.h"
#include "encode/text_places.h"
#include "encode/yes_no.h"
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/language_head.h"
#include "model/model_folder.h"
#include "sgpt/reranker.h"

namespace sgpt {

/// Everything is immutable after loading but the pool, which has a lock of its own.
struct Reranker::Parts {
  /// With a backend of the caller's own (to be measured, say) or the one that the options name.
  Parts(const std::filesystem::path& model_folder, const RerankerOptions& wanted,
        std::unique_ptr<Backend> own_backend = nullptr);

  ModelFolder folder;
  RerankerOptions options;  // with nothing left unset
  PairIds ids;
  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;
  Decoder model;
  LanguageHead head;
  std::optional<YesNoIds> yes_no;      // where that is asked …
  std::optional<TokenLogits> answers;  // … [yes, no]
  mutable ArenaPool arenas;

  /// What Reranker::score does; messages name the places.
  std::vector<double> score(std::span<const QueryDocument> pairs, TextPlaces places = {}) const;
  /// The same with the question of yes or no.
  std::vector<double> score_yes_no(std::span<const QueryDocument> pairs, TextPlaces places) const;
  /// The ids of a query. Throws UserError as score does for one that cannot be asked.
  TokenIds query_ids(std::string_view query) const;
  /// Of each token of a query, after this context.
  std::vector<double> token_log_probabilities(const TokenIds& context, const TokenIds& query) const;
};

}  // namespace sgpt
