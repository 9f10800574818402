#include "train/msmarco/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "base/byte_source.h"
#include "model/pickle.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kPickleMemory = std::size_t{1} << 29;  // of a million queries' book-keeping; the scores stream
constexpr std::size_t kWriteAtOnce = std::size_t{1} << 22;   // bytes
constexpr std::size_t kBytesPerScore = sizeof(std::uint32_t) + sizeof(double);

/// Gone when it is closed.
File temporary_file(const std::filesystem::path& folder) try {
  return File::nameless(folder);
} catch (const UserError& error) {
  throw UserError(
      fmt::format("{}; sgpt keeps what it found out about the data in that folder, so make it writable", error.what()));
}

}  // namespace

/// Takes the entries of the outermost dict, one query each.
class CrossEncoderScores::Reader : public PickleReader {
 public:
  Reader(CrossEncoderScores& scores, std::string place) : scores_(scores), place_(std::move(place)) {}

  bool take(const PickleValue& key, const PickleValue& value) override {
    const auto* qid = std::get_if<std::int64_t>(&key);
    const PickleNode* dict = node_of(value, PickleKind::dict);
    if (!qid || !dict || dict->taken) {
      throw UserError(
          fmt::format("{}: expected a dict of query number → {{passage number: score}}, found the entry {}: {}", place_,
                      shown(key), shown(value)));
    }
    pairs_.clear();
    for (std::size_t i = 0; i < dict->items.size(); i += 2) pairs_.push_back(pair(*qid, &dict->items[i]));
    write(*qid);
    return true;
  }

  void flush() {
    scores_.file_.write_all(waiting_);
    waiting_.clear();
  }

 private:
  using Pair = std::pair<std::uint32_t, double>;

  Pair pair(std::int64_t qid, const PickleValue* items) const {
    const auto* pid = std::get_if<std::int64_t>(&items[0]);
    const auto* score = std::get_if<double>(&items[1]);
    const auto* whole = std::get_if<std::int64_t>(&items[1]);
    if (!pid || *pid < 0 || *pid > std::numeric_limits<std::uint32_t>::max() || (!score && !whole)) {
      throw UserError(fmt::format("{}: query {}: expected passage number → score, found {}: {}", place_, qid,
                                  shown(items[0]), shown(items[1])));
    }
    return {static_cast<std::uint32_t>(*pid), score ? *score : static_cast<double>(*whole)};
  }

  void write(std::int64_t qid) {
    std::sort(pairs_.begin(), pairs_.end(), [](const Pair& a, const Pair& b) { return a.first < b.first; });
    scores_.queries_.push_back({qid, offset_, pairs_.size()});
    const std::size_t begin = waiting_.size();
    waiting_.resize(begin + pairs_.size() * kBytesPerScore);
    char* pids = waiting_.data() + begin;
    char* values = pids + pairs_.size() * sizeof(std::uint32_t);
    for (const auto& [pid, score] : pairs_) {
      pids = static_cast<char*>(std::memcpy(pids, &pid, sizeof(pid))) + sizeof(pid);
      values = static_cast<char*>(std::memcpy(values, &score, sizeof(score))) + sizeof(score);
    }
    offset_ += pairs_.size() * kBytesPerScore;
    if (waiting_.size() >= kWriteAtOnce) flush();
  }

  CrossEncoderScores& scores_;
  std::string place_;
  std::vector<Pair> pairs_;
  std::string waiting_;  // to be written
  std::uint64_t offset_ = 0;
};

CrossEncoderScores::CrossEncoderScores(const std::filesystem::path& pickle, const std::filesystem::path& folder) {
  ByteSource source(pickle);
  Reader reader(*this, pickle.string());
  const auto next_bytes = [&source](std::span<std::byte> target) { return source.read(target); };
  PickleMachine machine(next_bytes, reader, pickle.string(), kPickleMemory);
  file_ = temporary_file(folder);
  const PickleValue all = machine.run();
  if (!node_of(all, PickleKind::dict)) {
    throw UserError(fmt::format("{}: expected a dict of query number → {{passage number: score}}, found {}",
                                pickle.string(), shown(all)));
  }
  reader.flush();
  std::vector<std::byte> rest(4096);
  while (source.read(rest) > 0) {  // to the gzip file's check sum
  }
  std::sort(queries_.begin(), queries_.end(), [](const Query& a, const Query& b) { return a.qid < b.qid; });
}

bool CrossEncoderScores::select(std::int64_t qid) {
  count_ = 0;
  const auto found = std::lower_bound(queries_.begin(), queries_.end(), qid,
                                      [](const Query& query, std::int64_t wanted) { return query.qid < wanted; });
  if (found == queries_.end() || found->qid != qid) return false;
  bytes_.resize(found->count * kBytesPerScore);
  file_.read_all_at(bytes_, static_cast<std::int64_t>(found->offset));
  count_ = found->count;
  return true;
}

std::optional<double> CrossEncoderScores::score(std::int64_t pid) const {
  const auto* pids = reinterpret_cast<const std::uint32_t*>(bytes_.data());
  const auto* found = std::lower_bound(pids, pids + count_, pid);
  if (found == pids + count_ || *found != pid) return std::nullopt;
  double result;
  std::memcpy(&result, bytes_.data() + count_ * sizeof(std::uint32_t) + (found - pids) * std::ptrdiff_t{sizeof(double)},
              sizeof(result));
  return result;
}

}  // namespace sgpt
