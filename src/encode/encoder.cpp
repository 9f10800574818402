#include "sgpt/encoder.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/fork.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "base/threads.h"
#include "encode/batching.h"
#include "encode/compute_choice.h"
#include "encode/encoder_parts.h"
#include "model/finite.h"
#include "model/lora_adapter.h"
#include "model/memory_plan.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The folder, with the attention that was asked for; said aloud where it looks both ways, or not as the folder says.
ModelFolder with_attention(ModelFolder folder, const EncoderOptions& options) {
  const bool own = folder.config.causal, causal = options.causal.value_or(own);
  if (causal != own) set_causal(folder.config, causal);
  if (!causal || !own) {
    log::info(fmt::format("{}: the attention {}, {}", model_shown(folder.path),
                          causal ? "is causal" : "looks both ways",
                          causal != own    ? "as was asked for; the folder says otherwise"
                          : options.causal ? "as was asked for, and as the folder says"
                                           : "as the folder says"));
  }
  return folder;
}

/// The options with nothing left unset but what TextPreparation decides.
EncoderOptions settle(EncoderOptions options, const ModelFolder& folder) {
  if (options.token_budget < 0) {
    throw UserError(fmt::format("the token budget is {}, but must be positive", options.token_budget));
  }
  if (options.token_budget == 0) options.token_budget = kUsualTokenBudget;
  if (options.threads < 0)
    throw UserError(fmt::format("the number of threads is {}, but must be positive", options.threads));
  if (options.pooling.empty()) {
    options.pooling = folder.pooling;
    if (!folder.has_modules) {
      log::info(fmt::format("{}: no modules.json says how texts are pooled: {} is assumed (--pooling chooses another)",
                            model_shown(folder.path), name_of(options.pooling.front())));
    }
  }
  std::set<PoolingMode> named;
  for (const PoolingMode mode : options.pooling) {
    if (named.insert(mode).second) continue;
    throw UserError(fmt::format("the pooling mode {} is named twice; expected each once", name_of(mode)));
  }
  options.normalize = options.normalize.value_or(folder.normalize);
  return options;
}

Checkpoint open_weights(const ModelFolder& folder, const std::filesystem::path& trained) {
  Checkpoint weights = open_weights(folder);
  if (!trained.empty()) weights.replace_with(trained);
  return weights;
}

/// Refuses weights that do not fit, with a batch, into what memory is free.
void require_fitting(const ModelFolder& folder, const EncoderOptions& options, const Backend& backend,
                     const Checkpoint& checkpoint, ComputeType compute) {
  const DType stored = matrix_type(checkpoint, folder.config);
  const auto needed = [&](DType type) {
    return plan_weights(backend, folder.config, type, {}, compute).unavoidable() + kProgramBytes +
           checkpoint.replaced_bytes();
  };
  const std::uint64_t weights = needed(stored), halves = needed(DType::bf16);
  const std::uint64_t batch =
      forward_working_bytes(layer_plan(folder.config, backend.activation_type()), options.token_budget);
  const std::string advice =
      batch > weights / 4 ? "use a smaller --token_budget"
      : halves < weights  ? fmt::format("as bf16 (sgpt convert --dtype bf16) the weights take {}", in_gigabytes(halves))
                          : fmt::format("its weights alone take {}", in_gigabytes(weights));
  require_memory(fmt::format("{}: the model", folder.path.string()), weights + batch, advice);
}

ComputeType settle_compute(const ModelFolder& folder, const EncoderOptions& options, Backend& backend,
                           const Checkpoint& checkpoint) {
  const DType stored = matrix_type(checkpoint, folder.config);
  const ComputeType compute = choose_compute_type(options.compute, backend, stored);
  require_fitting(folder, options, backend, checkpoint, compute);
  return compute;
}

}  // namespace

std::unique_ptr<Arena> ArenaPool::take() {
  const NoForkMeanwhile hold;
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<Arena>(memory_);
  std::unique_ptr<Arena> arena = std::move(free_.back());
  free_.pop_back();
  return arena;
}

void ArenaPool::give_back(std::unique_ptr<Arena> arena) noexcept {
  arena->release({});
  const NoForkMeanwhile hold;
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(arena));
}

Encoder::Parts::Parts(const std::filesystem::path& model_folder, const EncoderOptions& wanted,
                      std::unique_ptr<Backend> own_backend)
    : folder(with_attention(read_model_folder(model_folder, wanted.adapter), wanted)),
      options(settle(wanted, folder)),
      preparation(Tokenizer::load(folder.tokenizer), folder,
                  {.brackets = wanted.brackets,
                   .max_seq_length = wanted.max_seq_length,
                   .query_prompt = wanted.query_prompt,
                   .document_prompt = wanted.document_prompt,
                   .plain_prompt = wanted.plain_prompt,
                   .append_eos_token = wanted.append_eos_token}),
      backend(own_backend ? std::move(own_backend) : make_backend(options.backend)),
      checkpoint(open_weights(folder, options.trained)),
      model(*backend, checkpoint, folder.config, {},
            options.compute.emplace(settle_compute(folder, options, *backend, checkpoint))),
      head(*backend, folder.head,
           {.pooled = pooled(), .first = options.truncate_dim, .normalize = options.normalize.value_or(false)}),
      arenas(backend->memory()) {
  options.causal = folder.config.causal;
  options.brackets = preparation.brackets();
  options.max_seq_length = preparation.max_seq_length();
  options.query_prompt = {.text = preparation.prompt(TextKind::query)};
  options.document_prompt = {.text = preparation.prompt(TextKind::document)};
  options.plain_prompt = {.text = preparation.prompt(TextKind::plain)};
  options.truncate_dim = head.dimension();
}

void Encoder::Parts::tell_once(TextKind kind) const {
  const unsigned bit = 1U << static_cast<unsigned>(kind);
  const unsigned before = told.fetch_or(bit);
  if (before == 0 && !folder.sentences.unknown_keys.empty()) {
    log::info(fmt::format("{}: not known, and ignored: {}",
                          (folder.path / "config_sentence_transformers.json").string(),
                          listed(folder.sentences.unknown_keys)));
  }
  if ((before & bit) == 0) preparation.tell(kind);
}

void Encoder::Parts::embed(const TokenBatch& batch, Arena& arena, Matrix e, const EmbeddingHead::Form& form) const {
  const Arena::Scope scope(arena);
  const PackedTexts texts = backend->place(batch, arena);
  const Matrix rows = arena.take(batch.texts(), pooled());
  const Matrix hidden = model.forward(texts, arena);
  backend->pool(texts, hidden, options.pooling, rows);
  head.forward(rows, arena, e, form);
}

Embeddings Encoder::Parts::encode(std::span<const std::string> texts, TextKind kind, TextPlaces places,
                                  const EncodingWay& way) const {
  const ThreadScope threads(options.threads);
  tell_once(kind);
  head.require(way.form);
  PreparedTexts prepared = (way.preparation ? *way.preparation : preparation).prepare(texts, kind, places);
  const std::vector<TokenIds>& ids = prepared.ids;
  const std::int64_t d = head.dimension(way.form);
  Embeddings result;
  result.rows = static_cast<std::int64_t>(texts.size());
  result.dimension = d;
  result.cut = std::move(prepared.cut);
  result.values.resize(texts.size() * static_cast<std::size_t>(d));

  const auto empty = std::find_if(ids.begin(), ids.end(), [](const TokenIds& text) { return text.empty(); });
  if (empty != ids.end() && !warned_of_empty_texts.exchange(true)) {
    const auto number = static_cast<std::size_t>(empty - ids.begin());
    log::warning(fmt::format("{}: the text has no token: such texts get a vector of zeros",
                             place_of(number, texts.size(), places)));
  }

  ArenaPool::Lease lease(arenas);
  std::vector<float> rows;
  std::int64_t done = 0;
  for (const std::vector<std::size_t>& numbers : plan_batches(ids, options.token_budget)) {
    const auto count = static_cast<std::int64_t>(numbers.size());
    rows.resize(numbers.size() * static_cast<std::size_t>(d));
    const Matrix e(rows.data(), count, d);
    embed(pack_texts(ids, numbers, prepared.skipped), *lease, e, way.form);
    for (std::int64_t b = 0; b < count; ++b) {
      const std::size_t place = numbers[static_cast<std::size_t>(b)];
      if (!all_finite(e.slice(b, 1))) {
        throw UserError(fmt::format("{}: the embedding is not finite: the weights of {} are too large or broken",
                                    place_of(place, texts.size(), places), folder.path.string()));
      }
      std::copy_n(e.f32_row(b), d, result.values.begin() + static_cast<std::ptrdiff_t>(place) * d);
    }
    done += count;
    if (way.on_texts) way.on_texts(done);
  }
  return result;
}

Encoder Encoder::load(const std::filesystem::path& model_folder, const EncoderOptions& options) {
  const ThreadScope threads(options.threads);
  return Encoder(std::make_unique<Parts>(model_folder, options));
}

Encoder::Encoder(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

Embeddings Encoder::encode(std::span<const std::string> texts, TextKind kind) const {
  return parts_->encode(texts, kind);
}

std::vector<std::int32_t> Encoder::tokenize(const std::string& text, TextKind kind) const {
  return parts_->preparation.ids(text, kind);
}

std::int64_t Encoder::dimension() const { return parts_->dimension(); }
const EncoderOptions& Encoder::options() const { return parts_->options; }
const std::filesystem::path& Encoder::folder() const { return parts_->folder.path; }
const Encoder::Parts& Encoder::parts() const { return *parts_; }

}  // namespace sgpt
