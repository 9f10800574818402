// What an Encoder is made of, for those who work with its parts: benchmarks and tests.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/backend.h"
#include "encode/text_preparation.h"
#include "model/checkpoint.h"
#include "model/decoder.h"
#include "model/embedding_head.h"
#include "model/model_folder.h"
#include "sgpt/encoder.h"
#include "tensor/arena.h"

namespace sgpt {

/// Memory for activations, one arena a concurrent caller, kept for the next one.
class ArenaPool {
 public:
  explicit ArenaPool(Memory& memory) : memory_(memory) {}

  /// An arena that goes back to the pool, empty, at the end of its life.
  class Lease {
   public:
    explicit Lease(ArenaPool& pool) : pool_(pool), arena_(pool.take()) {}
    ~Lease() { pool_.give_back(std::move(arena_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Arena& operator*() { return *arena_; }

   private:
    ArenaPool& pool_;
    std::unique_ptr<Arena> arena_;
  };

 private:
  std::unique_ptr<Arena> take();
  void give_back(std::unique_ptr<Arena> arena) noexcept;

  Memory& memory_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Arena>> free_;
};

/// How one call turns texts into embeddings, where it is not the encoder's own way.
struct EncodingWay {
  const TextPreparation* preparation = nullptr;  // null: the encoder's
  EmbeddingHead::Form form = {};
  std::function<void(std::int64_t texts)> on_texts = {};  // after each batch; may be empty
};

/// Everything is immutable after loading but the pool, which has a lock of its own.
struct Encoder::Parts {
  /// With a backend of the caller's own (to be measured, say) or the one that the options name.
  Parts(const std::filesystem::path& model_folder, const EncoderOptions& wanted,
        std::unique_ptr<Backend> own_backend = nullptr);

  ModelFolder folder;
  EncoderOptions options;  // with nothing left unset
  TextPreparation preparation;
  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;
  Decoder model;
  EmbeddingHead head;
  mutable ArenaPool arenas;
  mutable std::atomic<bool> warned_of_empty_texts = false;
  mutable std::atomic<unsigned> told = 0;  // of which kinds of texts (bits) what there is to tell was told

  std::int64_t dimension() const { return head.dimension(); }
  /// What Encoder::encode does; messages name the places.
  Embeddings encode(std::span<const std::string> texts, TextKind kind, TextPlaces places = {}) const {
    return encode(texts, kind, places, {.form = head.form()});
  }
  Embeddings encode(std::span<const std::string> texts, TextKind kind, TextPlaces places, const EncodingWay& way) const;
  /// Embeddings of one packed batch, from host to host: e[B, dimension()].
  void embed(const TokenBatch& batch, Arena& arena, Matrix e) const { embed(batch, arena, e, head.form()); }
  void embed(const TokenBatch& batch, Arena& arena, Matrix e, const EmbeddingHead::Form& form) const;
  /// From now on this encoder has nothing to tell of folder and prompts: another one does.
  void keep_silent() const { told = ~0U; }

 private:
  std::int64_t pooled() const { return folder.config.hidden * static_cast<std::int64_t>(options.pooling.size()); }
  void tell_once(TextKind kind) const;
};

}  // namespace sgpt
