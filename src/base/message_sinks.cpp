#include "base/message_sinks.h"

#include "base/fork.h"

#include <mutex>
#include <utility>

namespace sgpt {
namespace {

/// A function that may be replaced while others call it.
template <class Function>
class Sink {
 public:
  void set(Function function) {
    auto next = function ? std::make_shared<const Function>(std::move(function)) : nullptr;
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    function_.swap(next);
  }
  std::shared_ptr<const Function> get() {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    return function_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const Function> function_;
};

Sink<MessageSink>& messages() {
  static Sink<MessageSink> sink;
  return sink;
}

Sink<ProgressSink>& reports() {
  static Sink<ProgressSink> sink;
  return sink;
}

}  // namespace

void set_message_sink(MessageSink sink) { messages().set(std::move(sink)); }
void set_progress_sink(ProgressSink sink) { reports().set(std::move(sink)); }
std::shared_ptr<const MessageSink> message_sink() { return messages().get(); }
std::shared_ptr<const ProgressSink> progress_sink() { return reports().get(); }

}  // namespace sgpt
