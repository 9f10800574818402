// A training run on one self-contained page of HTML: no script, no file beside it.
#pragma once

#include <string>

#include "train/watch/run_history.h"

namespace sgpt {

/// `title` names the run.
std::string report_page(const RunRecord& record, const std::string& title);

}  // namespace sgpt
