#include "text/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "base/unicode.h"
#include "sgpt/error.h"
#include "text/byte_alphabet.h"
#include "text/hash.h"
#include "text/pre_tokenizer.h"
#include "text/vocabulary.h"
#include "text/word_counter.h"

namespace sgpt {

namespace {

/// The 256 bytes in the order of their letters: the order in which they get their ids.
std::array<unsigned char, 256> bytes_in_order_of_letters() {
  std::array<unsigned char, 256> bytes{};
  for (std::size_t i = 0; i < 256; ++i) bytes[i] = static_cast<unsigned char>(i);
  std::sort(bytes.begin(), bytes.end(), [](auto a, auto b) { return letter_of_byte(a) < letter_of_byte(b); });
  return bytes;
}

/// A word as it stands at the moment: its symbols lie in one array with those of the others.
struct TrainingWord {
  std::size_t begin;
  std::size_t length;
  std::int64_t count;
};

/// A pair, how often it occurred when this was written down, and the words that it is in.
struct Candidate {
  std::int64_t count;
  std::uint64_t pair;
  std::size_t words;  // place in the list of word lists

  /// std::push_heap keeps the greatest on top: highest count, then lowest ids.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

/// Joins pairs, most frequent first. Counts are kept up to date from the words that a join touches; a candidate on the
/// heap may be out of date and is put back with its present count when it comes up.
class MergeLoop {
 public:
  MergeLoop(const WordCounter& counter, std::span<const std::uint32_t> symbol_of_byte) {
    for (std::size_t i = 0; i < counter.size(); ++i) {
      const std::string_view word = counter.word(i);
      words_.push_back({symbols_.size(), word.size(), counter.count(i)});
      for (const char c : word) symbols_.push_back(symbol_of_byte[static_cast<unsigned char>(c)]);
    }
    count_all_pairs();
  }

  /// The next pair to join, or nothing when none occurs `least` times.
  std::optional<Candidate> next(std::int64_t least) {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      Candidate best = heap_.back();
      heap_.pop_back();
      const std::int64_t now = *counts_.find(best.pair);
      if (best.count != now) {
        best.count = now;
        push(best);
        continue;
      }
      if (best.count < std::max<std::int64_t>(least, 1)) return std::nullopt;
      return best;
    }
    return std::nullopt;
  }

  void join(const Candidate& pair, std::uint32_t result) {
    const std::vector<std::uint32_t> touched = std::move(word_lists_[pair.words]);
    for (const std::uint32_t word : touched) join_in_word(word, pair.pair, result);
    for (const auto& [key, list] : gained_) {
      push({*counts_.find(key), key, list});
    }
    gained_.clear();
    list_of_gained_ = PairMap<std::size_t>();
  }

 private:
  void push(const Candidate& candidate) {
    if (candidate.count <= 0) return;
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end());
  }

  void count_all_pairs() {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const TrainingWord& word = words_[w];
      for (std::size_t i = word.begin; i + 1 < word.begin + word.length; ++i) {
        gain(pair_key(symbols_[i], symbols_[i + 1]), word.count, static_cast<std::uint32_t>(w));
      }
    }
    for (const auto& [key, list] : gained_) heap_.push_back({*counts_.find(key), key, list});
    std::make_heap(heap_.begin(), heap_.end());
    gained_.clear();
    list_of_gained_ = PairMap<std::size_t>();
  }

  void gain(std::uint64_t key, std::int64_t count, std::uint32_t word) {
    *counts_.insert(key, 0).first += count;
    const auto [list, added] = list_of_gained_.insert(key, word_lists_.size());
    if (added) {
      gained_.emplace_back(key, word_lists_.size());
      word_lists_.emplace_back();
    }
    std::vector<std::uint32_t>& words = word_lists_[*list];
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void lose(std::uint64_t key, std::int64_t count) { *counts_.insert(key, 0).first -= count; }

  void join_in_word(std::uint32_t w, std::uint64_t pair, std::uint32_t result) {
    TrainingWord& word = words_[w];
    std::uint32_t* symbols = symbols_.data() + word.begin;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < word.length; ++i) {
      if (i + 1 == word.length || pair_key(symbols[i], symbols[i + 1]) != pair) {
        symbols[kept++] = symbols[i];
        continue;
      }
      if (kept > 0) {
        lose(pair_key(symbols[kept - 1], symbols[i]), word.count);
        gain(pair_key(symbols[kept - 1], result), word.count, w);
      }
      if (i + 2 < word.length) {
        lose(pair_key(symbols[i + 1], symbols[i + 2]), word.count);
        gain(pair_key(result, symbols[i + 2]), word.count, w);
      }
      symbols[kept++] = result;
      ++i;
    }
    word.length = kept;
  }

  std::vector<std::uint32_t> symbols_;
  std::vector<TrainingWord> words_;
  PairMap<std::int64_t> counts_;
  std::vector<std::vector<std::uint32_t>> word_lists_;
  std::vector<std::pair<std::uint64_t, std::size_t>> gained_;  // pairs that came up in this step, and their word lists
  PairMap<std::size_t> list_of_gained_;
  std::vector<Candidate> heap_;
};

}  // namespace

struct BpeTrainer::Impl {
  BpeTrainerOptions options;
  PreTokenizer pre_tokenizer = PreTokenizer::bloom();
  WordCounter counter;
};

BpeTrainer::BpeTrainer(const BpeTrainerOptions& options) : impl_(std::make_unique<Impl>()) {
  const auto least = static_cast<std::int64_t>(options.special_tokens.size()) + 256;
  if (options.vocab_size < least || options.vocab_size > Vocabulary::kIdLimit) {
    throw UserError(fmt::format("the vocabulary size must be from {} (special tokens and 256 bytes) to {}, not {}",
                                least, Vocabulary::kIdLimit, options.vocab_size));
  }
  impl_->options = options;
}

BpeTrainer::~BpeTrainer() = default;

void BpeTrainer::add(std::string_view text) {
  if (const auto offset = invalid_utf8(text)) {
    throw UserError(fmt::format("the text is no valid UTF-8 at byte {}", *offset));
  }
  impl_->pre_tokenizer.for_each_word(text, [&](std::string_view word) {
    impl_->counter.add(word);
    return true;
  });
}

TrainedBpe BpeTrainer::train(FunctionRef<void(std::int64_t)> progress) {
  TrainedBpe result;
  Vocabulary vocabulary;
  const auto id_for = [&](const std::string& token) {
    const auto id = static_cast<std::uint32_t>(result.tokens.size());
    if (vocabulary.add(token, id) != Vocabulary::Added::yes) return *vocabulary.id_of(token);
    result.tokens.push_back(token);
    return id;
  };
  for (const std::string& token : impl_->options.special_tokens) id_for(token);
  result.special_tokens = result.tokens.size();
  std::array<std::uint32_t, 256> symbol_of_byte{};
  for (const unsigned char byte : bytes_in_order_of_letters()) {
    const char c = static_cast<char>(byte);
    symbol_of_byte[byte] = id_for(letters_of({&c, 1}));
  }

  MergeLoop loop(impl_->counter, symbol_of_byte);
  const auto size = static_cast<std::size_t>(impl_->options.vocab_size);
  while (result.tokens.size() < size) {
    const auto best = loop.next(impl_->options.min_frequency);
    if (!best) break;
    const auto left = static_cast<std::uint32_t>(best->pair >> 32);
    const auto right = static_cast<std::uint32_t>(best->pair);
    const std::uint32_t joined = id_for(result.tokens[left] + result.tokens[right]);
    result.merges.emplace_back(left, right);
    loop.join(*best, joined);
    progress(static_cast<std::int64_t>(result.tokens.size()));
  }
  return result;
}

}  // namespace sgpt
