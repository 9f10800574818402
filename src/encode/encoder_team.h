// The encoders of several ranks, as one: rank 0 reads, asks and writes as a process alone would, and all of them
// compute the embeddings, which is what takes the time. A text's embedding is the same bits on every rank, so what
// comes out is what one process makes. All of sgpt's own jobs go through it: it counts the texts that were cut.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/communicator.h"
#include "encode/cut_texts.h"
#include "encode/text_places.h"
#include "sgpt/encoder.h"

namespace sgpt {

/// A handle, to be copied; encoder and communicator must outlive it. Thread-safe when the encoder is alone.
class EncoderTeam {
 public:
  /// An encoder by itself.
  EncoderTeam(const Encoder& encoder) : EncoderTeam(encoder, this_process_alone()) {}

  /// As Encoder::encode; messages name the places of the texts.
  Embeddings encode(std::span<const std::string> texts, TextKind kind, TextPlaces places = {}) const;
  Embeddings encode_queries(std::span<const std::string> texts, TextPlaces places = {}) const {
    return encode(texts, TextKind::query, places);
  }
  Embeddings encode_documents(std::span<const std::string> texts, TextPlaces places = {}) const {
    return encode(texts, TextKind::document, places);
  }

  /// Says how many of the texts so far were cut; with_team() does it at the end.
  void tell_cut_texts() const { cut_->tell(*encoder_->options().max_seq_length); }

  const Encoder& encoder() const { return *encoder_; }  ///< this rank's

 private:
  friend void with_team(const Encoder&, Communicator&, const std::function<void(const EncoderTeam&)>&);
  EncoderTeam(const Encoder& encoder, Communicator& ranks) : encoder_(&encoder), ranks_(&ranks) {}
  Embeddings ask(std::span<const std::string> texts, TextKind kind, TextPlaces places) const;
  void help() const;
  void dismiss() const;

  const Encoder* encoder_;
  Communicator* ranks_;
  std::shared_ptr<CutTexts> cut_ = std::make_shared<CutTexts>();  // of all copies together
};

/// Rank 0 does `work`; the others compute what it asks of the team, until it is done. Called by all ranks, each with
/// its own encoder of the same model. Throws UserError on all of them when the encoders differ. What `work` throws
/// leaves the others waiting: the caller ends them (Communicator::abort).
void with_team(const Encoder& encoder, Communicator& ranks, const std::function<void(const EncoderTeam&)>& work);

}  // namespace sgpt
