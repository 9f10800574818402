#include "serve/served_model.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/log.h"
#include "base/threads.h"
#include "base/unicode.h"
#include "encode/encoder_parts.h"
#include "sgpt/error.h"

namespace sgpt::serve {
namespace {

/// Rows are kept as they are before the last step, which requests may do without.
EncoderOptions without_normalizing(EncoderOptions options) {
  options.normalize = false;
  return options;
}

std::int64_t characters_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

}  // namespace

ServedModel::ServedModel(const std::filesystem::path& folder, const EncoderOptions& options, std::string name,
                         int threads)
    : encoder_(Encoder::load(folder, without_normalizing(options))),
      name_(std::move(name)),
      normalized_(options.normalize.value_or(encoder_.parts().folder.normalize)),
      threads_(threads) {
  if (name_.empty()) name_ = encoder_.parts().folder.name;
}

std::int64_t ServedModel::longest() const { return *encoder_.options().max_seq_length; }

bool ServedModel::knows_kinds() const {
  const TextPreparation& preparation = encoder_.parts().preparation;
  return preparation.brackets() || preparation.prompt(TextKind::query) != preparation.prompt(TextKind::document);
}

std::string ServedModel::dtype() const { return std::string(sgpt::name_of(*encoder_.options().compute)); }

void ServedModel::refuse_length(const std::string& place, std::int64_t tokens) const {
  throw Failure{Kind::validation,
                fmt::format("{}: {} tokens, but the model takes {} at most: send less, or let it be cut (truncate)",
                            place, tokens, longest()),
                place};
}

Input ServedModel::prepared(const EmbedRequest& request, std::size_t i, TextKind kind, bool truncate,
                            EmbedAnswer& answer) const {
  const Encoder::Parts& parts = encoder_.parts();
  const std::string place = request.inputs.place(i);
  Input input;
  bool cut = false;
  if (request.inputs.ids.empty()) {
    const std::string_view text = request.inputs.texts[i];
    input.ids = parts.preparation.ids(text, kind, request.cut, cut);
    input.skipped = parts.preparation.skipped(kind);
    answer.characters += characters_of(text);
    if (cut && !truncate) refuse_length(place, parts.preparation.uncut_tokens(text, kind));
    if (input.ids.empty()) throw Failure{Kind::empty, fmt::format("{}: the text has no token", place), place};
  } else {
    input.ids = request.inputs.ids[i];
    const auto known = static_cast<std::int32_t>(parts.preparation.tokenizer().vocab_size());
    const auto stranger =
        std::find_if(input.ids.begin(), input.ids.end(), [&](std::int32_t id) { return id >= known; });
    if (stranger != input.ids.end()) {
      fail_field(fmt::format("{}[{}]", place, stranger - input.ids.begin()),
                 fmt::format("a token id of the model, 0 to {}", known - 1), fmt::format("{}", *stranger));
    }
    cut = input.tokens() > longest();
    if (cut && !truncate) refuse_length(place, input.tokens());
    if (cut && request.cut == CutEnd::left) input.ids.erase(input.ids.begin(), input.ids.end() - longest());
    if (cut) input.ids.resize(static_cast<std::size_t>(longest()));
  }
  if (cut) answer.cut.push_back(i);
  answer.tokens += input.tokens();
  return input;
}

EmbedAnswer ServedModel::prepare(const EmbedRequest& request, TextKind kind, bool truncate,
                                 std::vector<Input>& inputs) const {
  if (request.dimensions && *request.dimensions > dimension()) {
    fail_field("dimensions", fmt::format("at most {}, the numbers of this model's embeddings", dimension()),
               fmt::format("{}", *request.dimensions));
  }
  EmbedAnswer answer;
  answer.kind = kind;
  inputs.reserve(inputs.size() + request.inputs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    try {
      inputs.push_back(prepared(request, i, kind, request.truncate.value_or(truncate), answer));
    } catch (const UserError& error) {
      throw Failure{Kind::validation, fmt::format("{}: {}", request.inputs.place(i), error.what()),
                    request.inputs.place(i)};
    }
  }
  return answer;
}

std::vector<Row> ServedModel::compute(std::span<const Input* const> inputs) const {
  const ThreadScope threads(threads_);
  const Encoder::Parts& parts = encoder_.parts();
  TokenBatch batch;
  for (const Input* input : inputs) batch.add(input->ids, input->skipped);
  const std::int64_t d = dimension();
  std::vector<float> values(inputs.size() * static_cast<std::size_t>(d));
  ArenaPool::Lease arena(parts.arenas);
  parts.embed(batch, *arena, Matrix(values.data(), std::ssize(inputs), d));
  std::vector<Row> rows;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i) * d;
    const bool finite = std::all_of(begin, begin + d, [](float value) { return std::isfinite(value); });
    rows.push_back(finite ? std::make_shared<const std::vector<float>>(begin, begin + d) : nullptr);
  }
  return rows;
}

void ServedModel::finish(const EmbedRequest& request, std::span<const Row> rows, EmbedAnswer& answer) const {
  answer.rows = std::ssize(rows);
  answer.dimension = request.dimensions.value_or(dimension());
  answer.values.reserve(static_cast<std::size_t>(answer.rows * answer.dimension));
  for (const Row& row : rows) {
    answer.values.insert(answer.values.end(), row->begin(), row->begin() + answer.dimension);
  }
  if (!request.normalize && !normalized_) return;
  const ThreadScope alone(1);
  const Matrix matrix(answer.values.data(), answer.rows, answer.dimension);
  encoder_.parts().backend->normalize_rows(matrix, matrix, {});
}

BatchPlan ServedModel::measure(std::int64_t wanted) const {
  constexpr double kLongest = 0.25;  // seconds
  constexpr std::int64_t kMost = 16384;
  const auto timed = [&](std::int64_t tokens) {
    const std::int64_t length = std::min<std::int64_t>(tokens, std::min<std::int64_t>(64, longest()));
    std::vector<Input> inputs;
    std::vector<const Input*> pointers;
    for (std::int64_t left = tokens; left > 0; left -= length) {
      Input& input = inputs.emplace_back();
      input.ids.assign(static_cast<std::size_t>(std::min(left, length)), 0);
    }
    for (const Input& input : inputs) pointers.push_back(&input);
    const Clock::time_point begin = Clock::now();
    compute(pointers);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  BatchPlan plan;
  timed(64);  // maps pages and makes code
  for (std::int64_t tokens = 64; tokens <= kMost; tokens *= 4) {
    const double seconds = timed(tokens);
    plan.measured.push_back({tokens, seconds});
    if (seconds > kLongest) break;
    if (wanted == 0) plan.batch_tokens = tokens;
    if (wanted > 0 && tokens >= wanted) break;
  }
  const BatchTime& last = plan.measured.back();
  plan.tokens_a_second = static_cast<double>(last.tokens) / last.seconds;
  if (wanted == 0 && last.seconds > kLongest) {  // between the last two
    plan.batch_tokens = std::max(plan.batch_tokens, static_cast<std::int64_t>(kLongest * plan.tokens_a_second));
  }
  if (wanted > 0) plan.batch_tokens = wanted;
  if (wanted > 0 && wanted < longest()) {
    log::warning(fmt::format("--max_batch_tokens {} is less than the longest input, {} tokens: batches have that many",
                             wanted, longest()));
  }
  plan.batch_tokens = std::max(plan.batch_tokens, longest());
  // A longest input that is far beyond what was measured would make the start last for minutes.
  if (plan.batch_tokens <= last.tokens) timed(plan.batch_tokens);
  return plan;
}

}  // namespace sgpt::serve
