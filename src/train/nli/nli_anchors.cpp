#include "train/nli/nli_anchors.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/unicode.h"
#include "retrieval/tsv_reader.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Numbers = std::vector<std::uint32_t>;

void add_once(Numbers& set, std::uint32_t number) {
  if (std::find(set.begin(), set.end(), number) == set.end()) set.push_back(number);
}

/// All sentences with their sets, numbered as they come.
class Collector {
 public:
  std::uint32_t number(std::string_view text) {
    const auto found = numbers_.find(text);
    if (found != numbers_.end()) return found->second;
    const auto next = static_cast<std::uint32_t>(texts_.size());
    numbers_.emplace(texts_.emplace_back(text), next);
    anchors_.push_back({.sentence = next, .entailments = {}, .contradictions = {}});
    return next;
  }

  void entail(std::uint32_t a, std::uint32_t b) { add_once(anchors_[a].entailments, b); }
  void contradict(std::uint32_t a, std::uint32_t b) { add_once(anchors_[a].contradictions, b); }

  NliAnchors finish() {
    numbers_.clear();  // before the texts move away
    std::erase_if(anchors_,
                  [](const NliAnchor& anchor) { return anchor.entailments.empty() || anchor.contradictions.empty(); });
    return {{std::make_move_iterator(texts_.begin()), std::make_move_iterator(texts_.end())}, std::move(anchors_)};
  }

 private:
  std::deque<std::string> texts_;  // stay where they are
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
  std::vector<NliAnchor> anchors_;
};

}  // namespace

std::uint64_t NliAnchors::fingerprint() const {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  const auto add = [&](const void* bytes, std::size_t count) { XXH3_64bits_update(state, bytes, count); };
  for (const std::string& sentence : sentences) add(sentence.c_str(), sentence.size() + 1);
  for (const NliAnchor& anchor : anchors) {
    const std::uint64_t sizes[] = {anchor.sentence, anchor.entailments.size(), anchor.contradictions.size()};
    add(sizes, sizeof sizes);
    for (const Numbers* set : {&anchor.entailments, &anchor.contradictions}) {
      add(set->data(), set->size() * sizeof(std::uint32_t));
    }
  }
  const std::uint64_t digest = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return digest;
}

NliAnchors read_nli_anchors(const std::filesystem::path& file) {
  TsvReader table(file, {"split", "sentence1", "sentence2", "label"});
  const std::size_t split = table.column("split");
  const std::size_t label = table.column("label");
  const std::size_t first = table.column("sentence1");
  const std::size_t second = table.column("sentence2");
  Collector collector;
  while (table.next()) {
    if (table.at(split) != "train") continue;
    const std::uint32_t a = collector.number(strip(table.at(first)));
    const std::uint32_t b = collector.number(strip(table.at(second)));
    const std::string& name = table.at(label);
    if (name == "entailment") {
      collector.entail(a, b);
      collector.entail(b, a);
    } else if (name == "contradiction") {
      collector.contradict(a, b);
      collector.contradict(b, a);
    } else if (name != "neutral") {
      throw UserError(fmt::format("{}: the label is \"{}\", but must be entailment, neutral or contradiction",
                                  table.place(), name));
    }
  }
  NliAnchors found = collector.finish();
  if (found.anchors.empty()) {
    throw UserError(
        fmt::format("{}: no sentence of the split \"train\" has both an entailment and a contradiction, which a "
                    "training example is made of ({} sentences were read)",
                    file.string(), found.sentences.size()));
  }
  return found;
}

}  // namespace sgpt
