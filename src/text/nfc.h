// Unicode's normalisation form C (Unicode Standard Annex 15): what is equal canonically gets one spelling, composed.
#pragma once

#include <string>
#include <string_view>

namespace sgpt {

/// The text (valid UTF-8) in form C: itself, or `buffer`, where it is written if anything changes.
std::string_view to_nfc(std::string_view text, std::string& buffer);

}  // namespace sgpt
