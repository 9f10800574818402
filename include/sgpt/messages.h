// Where the library's lines for people go, and how far long jobs have come: stderr, unless a program wants them itself
// (in its own log, in a window).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace sgpt {

enum class MessageLevel { info, warning };

/// A line without its end. Called in whatever thread has something to say, maybe in several at once; must not throw.
using MessageSink = std::function<void(MessageLevel level, std::string_view line)>;

/// From now on lines go there, and not to stderr; an empty function: to stderr again. Thread-safe; a call of the old
/// sink that has begun may end afterwards.
void set_message_sink(MessageSink sink);

struct ProgressReport {
  std::string_view title;  ///< "embedding the corpus"
  std::string_view unit;   ///< what is counted: "documents"
  std::int64_t done = 0;
  std::int64_t total = 0;  ///< 0: not known
  std::string_view note;   ///< "loss 0.41"; may be empty
  bool last = false;       ///< the job is over, or was given up
};

/// Called at most some ten times a second and job; the views are valid during the call. Must not throw.
using ProgressSink = std::function<void(const ProgressReport&)>;

/// The same for the bars of long jobs.
void set_progress_sink(ProgressSink sink);

}  // namespace sgpt
