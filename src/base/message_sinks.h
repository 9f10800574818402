// What set_message_sink and set_progress_sink were given, for those who write lines and bars.
#pragma once

#include <memory>

#include "sgpt/messages.h"

namespace sgpt {

/// Null: stderr.
std::shared_ptr<const MessageSink> message_sink();
std::shared_ptr<const ProgressSink> progress_sink();

}  // namespace sgpt
