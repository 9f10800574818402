// The Tokenizer: added tokens, then words, then BPE; and the way back.
#include "sgpt/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/fork.h"
#include "base/unicode.h"
#include "sgpt/error.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_folder.h"

namespace sgpt {

namespace {

/// Workspaces wait here between calls, so that their caches stay warm; there are as many as there were calls at once.
class WorkspacePool {
 public:
  std::unique_ptr<Bpe::Workspace> take() {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Bpe::Workspace>();
    auto workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }

  void give_back(std::unique_ptr<Bpe::Workspace> workspace) {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Bpe::Workspace>> idle_;
};

std::vector<AddedToken> chosen(const std::vector<AddedToken>& tokens, bool normalized) {
  std::vector<AddedToken> result;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(result),
               [&](const AddedToken& token) { return token.normalized == normalized; });
  return result;
}

/// The same as a normalised text has them; of those that become equal the special one counts, or the first.
std::vector<AddedToken> normalized(std::vector<AddedToken> tokens, const Normalizer& normalizer) {
  std::stable_partition(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.special; });
  std::vector<AddedToken> result;
  for (AddedToken& token : tokens) {
    Normalizer::Buffers buffers;
    token.content = std::string(normalizer.apply(token.content, buffers));
    const bool is_there = std::any_of(result.begin(), result.end(),
                                      [&](const AddedToken& other) { return other.content == token.content; });
    if (!is_there && !token.content.empty()) result.push_back(std::move(token));
  }
  return result;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerParts parts)
      : bpe(std::move(parts.model)),
        normalizer(std::move(parts.normalizer)),
        pre_tokenizer(std::move(parts.pre_tokenizer)),
        raw_tokens(chosen(parts.added_tokens, false), parts.splits_special_tokens),
        normalized_tokens(normalized(chosen(parts.added_tokens, true), normalizer), parts.splits_special_tokens),
        special_tokens(std::move(parts.special_tokens)),
        decoder(std::move(parts.decoder)),
        cuts_left(parts.cuts_left) {
    for (const AddedToken& token : parts.added_tokens) added.add(token.content, token.id);
    for (const AddedToken& token : normalized(chosen(parts.added_tokens, true), normalizer)) {
      normalized_added.add(token.content, token.id);
    }
    id_end = std::max(bpe.vocabulary().id_end(), added.id_end());
  }

  /// Appends the ids of a stretch without added tokens, until there are `most` in all; then returns false.
  bool encode_plain(std::string_view text, bool begins, std::size_t most, Bpe::Workspace& workspace,
                    std::vector<std::int32_t>& ids) const {
    const auto add_word = [&](std::string_view word) {
      const auto found = bpe.ids_of(word, workspace);
      const std::size_t count = std::min(found.size(), most - ids.size());
      ids.insert(ids.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
      return ids.size() < most;
    };
    return pre_tokenizer.for_each_word(text, add_word, begins);
  }

  void encode(std::string_view text, std::size_t most, Bpe::Workspace& workspace,
              std::vector<std::int32_t>& ids) const {
    const auto add = [&](const AddedToken& token) {
      ids.push_back(static_cast<std::int32_t>(token.id));
      return ids.size() < most;
    };
    Normalizer::Buffers buffers;
    raw_tokens.for_each_piece(text, [&](std::string_view raw, const AddedToken* token) {
      if (token) return add(*token);
      const std::string_view stretch = normalizer.apply(raw, buffers);
      return normalized_tokens.for_each_piece(stretch, [&](std::string_view plain, const AddedToken* found) {
        if (found) return add(*found);
        const bool begins = raw.data() == text.data() && plain.data() == stretch.data();
        return encode_plain(plain, begins, most, workspace, ids);
      });
    });
  }

  std::optional<std::string_view> token_of(std::int32_t id) const {
    if (id < 0) return std::nullopt;
    auto token = normalized_added.token_of(static_cast<std::uint32_t>(id));
    if (!token) token = added.token_of(static_cast<std::uint32_t>(id));
    return token ? token : bpe.vocabulary().token_of(static_cast<std::uint32_t>(id));
  }

  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_tokens;
  AddedTokenFinder normalized_tokens;
  SpecialTokens special_tokens;
  Decoder decoder;
  bool cuts_left;
  Vocabulary added;
  Vocabulary normalized_added;  // as `tokenizers` shows those that are looked for in normalised text
  std::uint32_t id_end = 0;
  mutable WorkspacePool workspaces;
};

Tokenizer Tokenizer::load(const std::filesystem::path& tokenizer_json_or_folder) {
  std::error_code none;
  const bool folder = std::filesystem::is_directory(tokenizer_json_or_folder, none);
  return Tokenizer(std::make_shared<const Impl>(folder ? read_tokenizer_folder(tokenizer_json_or_folder)
                                                       : read_tokenizer_file(tokenizer_json_or_folder)));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, std::size_t max_tokens) const {
  if (const auto offset = invalid_utf8(text)) {
    throw UserError(fmt::format("the text is no valid UTF-8 at byte {}", *offset));
  }
  std::vector<std::int32_t> ids;
  if (max_tokens == 0) return ids;
  auto workspace = impl_->workspaces.take();
  impl_->encode(text, impl_->cuts_left ? std::numeric_limits<std::size_t>::max() : max_tokens, *workspace, ids);
  impl_->workspaces.give_back(std::move(workspace));
  if (ids.size() > max_tokens) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(max_tokens));
  return ids;
}

bool Tokenizer::cuts_left() const { return impl_->cuts_left; }

const SpecialTokens& Tokenizer::special_tokens() const { return impl_->special_tokens; }

std::vector<std::int32_t> Tokenizer::encode_with_special_tokens(std::string_view text, std::size_t max_tokens) const {
  const SpecialTokens& around = impl_->special_tokens;
  if (max_tokens < around.size()) {
    throw UserError(
        fmt::format("{} tokens have no room for the {} special tokens around a text", max_tokens, around.size()));
  }
  std::vector<std::int32_t> ids = encode(text, max_tokens - around.size());
  ids.insert(ids.begin(), around.before.begin(), around.before.end());
  ids.insert(ids.end(), around.behind.begin(), around.behind.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::vector<std::string_view> tokens;
  tokens.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto token = impl_->token_of(ids[i]);
    if (!token) {
      throw UserError(fmt::format("id {} (number {} of the list) is not in the vocabulary, whose ids end at {}", ids[i],
                                  i + 1, impl_->id_end - 1));
    }
    tokens.push_back(*token);
  }
  return impl_->decoder.decode(tokens);
}

std::int32_t Tokenizer::vocab_size() const { return static_cast<std::int32_t>(impl_->id_end); }

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  auto id = impl_->added.id_of(token);
  if (!id) id = impl_->bpe.vocabulary().id_of(token);
  if (!id) return std::nullopt;
  return static_cast<std::int32_t>(*id);
}

}  // namespace sgpt
