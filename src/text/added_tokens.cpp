#include "text/added_tokens.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "text/character_class.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && CharacterClasses::get().is_word(previous_code_point(text, at));
}

bool word_behind(std::string_view text, std::size_t at) {
  return at < text.size() && CharacterClasses::get().is_word(next_code_point(text, at));
}

std::size_t space_begin_before(std::string_view text, std::size_t at) {
  for (std::size_t before = at; at > 0; at = before) {
    if (!CharacterClasses::get().is_space(previous_code_point(text, before))) break;
  }
  return at;
}

std::size_t space_end_behind(std::string_view text, std::size_t at) {
  for (std::size_t behind = at; at < text.size(); at = behind) {
    if (!CharacterClasses::get().is_space(next_code_point(text, behind))) break;
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens, bool splits_special)
    : tokens_(std::move(tokens)), splits_special_(splits_special), places_(tokens_.size()) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i].content;
    places_.add(content, static_cast<std::uint32_t>(i));
    const auto first = static_cast<unsigned char>(content.front());
    begins_[first] = true;
    lengths_[first].push_back(content.size());
  }
  for (auto& lengths : lengths_) {
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  }
}

bool AddedTokenFinder::for_each_piece(std::string_view text, Visit visit) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    while (at < text.size() && !begins_[static_cast<unsigned char>(text[at])]) ++at;
    if (at == text.size()) break;
    const AddedToken* token = longest_at(text, at);
    if (!token) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + token->content.size();
    at = end;  // a token that is found and then refused still covers its characters
    if (splits_special_ && token->special) continue;
    if (token->single_word && (word_before(text, begin) || word_behind(text, end))) continue;
    if (token->lstrip) begin = std::max(space_begin_before(text, begin), done);
    if (token->rstrip) end = space_end_behind(text, end);
    if (begin >= end) continue;  // white space that the token before has taken
    if (done < begin && !visit(text.substr(done, begin - done), nullptr)) return false;
    if (!visit({}, token)) return false;
    done = end;
  }
  return done >= text.size() || visit(text.substr(done), nullptr);
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, std::size_t at) const {
  for (const std::size_t length : lengths_[static_cast<unsigned char>(text[at])]) {
    if (length > text.size() - at) continue;
    if (const auto place = places_.id_of(text.substr(at, length))) return &tokens_[*place];
  }
  return nullptr;
}

}  // namespace sgpt
