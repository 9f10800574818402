#include "retrieval/score_journal.h"

#include <fcntl.h>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "base/log.h"
#include "sgpt/error.h"

namespace sgpt {

ScoreJournal::ScoreJournal(const std::filesystem::path& output, const std::string& job) {
  if (files::is_stream(output)) return;
  path_ = files::resolved(output);
  path_ += ".progress";
  file_ = File::open(path_, O_RDWR | O_CREAT, "cannot be written");
  if (!file_.try_lock()) {
    throw UserError(fmt::format("{}: another process is writing this run", path_.string()));
  }
  const std::string header = job + "\n";
  const std::int64_t size = file_.size(), of_header = std::ssize(header);
  std::string found(static_cast<std::size_t>(std::min(size, of_header)), '\0');
  file_.read_all_at(std::as_writable_bytes(std::span(found)), 0);
  if (found != header) {
    if (size > 0) log::info(fmt::format("{}: of another job; the re-ranking starts over", path_.string()));
    file_.resize(0);
    file_.write_all(header);
    return;
  }
  // What was cut off in the middle of a number is computed again.
  const auto whole = static_cast<std::size_t>((size - of_header) / static_cast<std::int64_t>(sizeof(double)));
  scores_.resize(whole);
  file_.read_all_at(std::as_writable_bytes(std::span(scores_)), of_header);
  file_.resize(of_header + static_cast<std::int64_t>(whole * sizeof(double)));
  if (whole > 0) log::info(fmt::format("continuing an unfinished run after {} pairs", whole));
}

void ScoreJournal::append(std::span<const double> scores) {
  if (!file_) return;
  file_.write_all(std::as_bytes(scores));
  file_.sync();
}

void ScoreJournal::remove() {
  if (file_) files::remove_all(path_);
}

}  // namespace sgpt
