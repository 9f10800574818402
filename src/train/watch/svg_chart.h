// Drawings for the report as SVG text: curves over the steps, and ridges of distributions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/watch/run_history.h"

namespace sgpt {

struct Curve {
  std::string_view title;
  std::vector<double> steps;   // ascending
  std::vector<double> values;  // as many; those that cannot be drawn are left out
  bool smooth = true;          ///< draws a moving average over the values
};

/// A chart with axes; its colours are the page's CSS variables.
std::string curve_chart(const Curve& curve);

/// A distribution a line, the latest in front; `rows` ascending by step.
std::string ridge_chart(std::string_view title, std::span<const RunRecord::Bins> rows);

/// The text for HTML: & < > " are escaped, and bytes that are no UTF-8 replaced.
std::string html(std::string_view text);

}  // namespace sgpt
