// Porter's stemmer for English (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980): "connected",
// "connection" and "connecting" are one term, "connect".
#pragma once

#include <string>

namespace sgpt {

/// Puts the stem in the word's place. A word with anything but a to z in it, or of two letters at most, stays.
void porter_stem(std::string& word);

}  // namespace sgpt
