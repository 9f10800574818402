#include "train/watch/svg_chart.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/unicode.h"
#include "train/watch/axis.h"

namespace sgpt {
namespace {

struct Point {
  double x;
  double y;
};

/// A plot's box in the drawing; y grows downwards there.
struct Box {
  double left = 62;
  double top = 14;
  double width = 484;
  double height = 190;
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

constexpr std::size_t kMostPoints = 480;  // in a line: more than a screen shows only make the page heavy
constexpr std::size_t kRidges = 14;

/// Room above and below; from 0 where the values come near it.
Range with_margin(Range range) {
  const double margin = (range.high - range.low) * 0.06;
  const bool near_zero = range.low >= 0 && range.low < 0.35 * range.high;
  return {near_zero ? 0 : range.low - margin, range.high + margin};
}

std::string path(std::span<const Point> points) {
  std::string text;
  for (const Point& point : points)
    fmt::format_to(std::back_inserter(text), "{}{:.1f} {:.1f}", text.empty() ? "M" : "L", point.x, point.y);
  return text;
}

/// The mean of each of at most kMostPoints equal pieces.
std::vector<Point> thinned(const std::vector<Point>& points) {
  if (points.size() <= kMostPoints) return points;
  std::vector<Point> means;
  for (std::size_t piece = 0; piece < kMostPoints; ++piece) {
    const std::size_t begin = piece * points.size() / kMostPoints;
    const std::size_t end = (piece + 1) * points.size() / kMostPoints;
    Point sum{0, 0};
    for (std::size_t i = begin; i < end; ++i) sum = {sum.x + points[i].x, sum.y + points[i].y};
    const auto count = static_cast<double>(end - begin);
    means.push_back({sum.x / count, sum.y / count});
  }
  return means;
}

/// An exponential moving average without the pull towards 0 at its beginning, over about a fortieth of the run.
std::vector<Point> smoothed(const std::vector<Point>& points) {
  const double keep = 1 - 1 / std::max(4.0, static_cast<double>(points.size()) / 40);
  std::vector<Point> smooth;
  double sum = 0;
  double weight = 0;
  for (const Point& point : points) {
    sum = keep * sum + (1 - keep) * point.y;
    weight = keep * weight + (1 - keep);
    smooth.push_back({point.x, sum / weight});
  }
  return smooth;
}

std::string y_axis(const Box& box, const Range& range) {
  std::string text;
  for (const Tick& tick : ticks(range)) {
    const double y = box.bottom() - range.part_of(tick.value) * box.height;
    text +=
        fmt::format(R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" class="y">{}</text>)",
                    box.left, y, box.right(), box.left - 8, y + 4, tick.label);
  }
  return text;
}

std::string x_axis(const Box& box, const Range& range) {
  std::string text =
      fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}H{:.1f}"/>)", box.left, box.bottom(), box.right());
  for (const Tick& tick : ticks(range)) {
    const double x = box.left + range.part_of(tick.value) * box.width;
    const double half = 3.5 * static_cast<double>(tick.label.size());  // of the label's width, about
    const bool fits = x + half < box.right() + 14;
    text +=
        fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}v4"/><text x="{:.1f}" y="{:.1f}" class="{}">{}</text>)", x,
                    box.bottom(), fits ? x : box.right() + 14, box.bottom() + 18, fits ? "x" : "last", tick.label);
  }
  return text;
}

std::string empty_chart(std::string_view title) {
  return fmt::format(R"(<figure><figcaption>{}</figcaption><p class="none">nothing was recorded</p></figure>)",
                     html(title));
}

/// Evenly chosen, the first and the last among them.
std::vector<const RunRecord::Bins*> chosen(std::span<const RunRecord::Bins> rows) {
  std::vector<const RunRecord::Bins*> few;
  const std::size_t count = std::min(rows.size(), kRidges);
  for (std::size_t i = 0; i < count; ++i) few.push_back(&rows[count == 1 ? 0 : i * (rows.size() - 1) / (count - 1)]);
  return few;
}

/// One distribution as a closed outline over its base line.
std::string ridge(const RunRecord::Bins& row, const Box& box, const Range& range, double base, double height) {
  const double most = *std::max_element(row.counts.begin(), row.counts.end());
  std::vector<Point> points;
  const double width = (row.max - row.min) / static_cast<double>(row.counts.size());
  const auto x = [&](double value) { return box.left + range.part_of(value) * box.width; };
  points.push_back({x(row.min), base});
  for (std::size_t i = 0; i < row.counts.size(); ++i) {
    const double share = most > 0 ? row.counts[i] / most : 0;
    points.push_back({x(row.min + (static_cast<double>(i) + 0.5) * width), base - share * height});
  }
  points.push_back({x(row.max), base});
  return path(points);
}

}  // namespace

std::string html(std::string_view text) {
  std::string escaped;
  for (std::string_view rest = text; !rest.empty();) {
    const auto broken = invalid_utf8(rest);
    for (const char letter : rest.substr(0, broken.value_or(rest.size()))) {
      switch (letter) {
        case '&': escaped += "&amp;"; break;
        case '<': escaped += "&lt;"; break;
        case '>': escaped += "&gt;"; break;
        case '"': escaped += "&quot;"; break;
        default: escaped += letter;
      }
    }
    if (!broken) break;
    escaped += "\xEF\xBF\xBD";
    rest.remove_prefix(*broken + 1);
  }
  return escaped;
}

std::string curve_chart(const Curve& curve) {
  constexpr Box kBox;
  if (std::none_of(curve.values.begin(), curve.values.end(), drawable)) {
    return empty_chart(curve.title);
  }
  const Range steps = range_of_steps(curve.steps);
  const Range values = with_margin(range_of(curve.values));
  std::vector<Point> points;
  for (std::size_t i = 0; i < curve.values.size(); ++i) {
    if (!drawable(curve.values[i])) continue;
    points.push_back({kBox.left + steps.part_of(curve.steps[i]) * kBox.width,
                      kBox.bottom() - values.part_of(curve.values[i]) * kBox.height});
  }
  if (points.size() == 1) points.push_back(points.front());  // a line without length, which is drawn as a dot
  const bool smooth = curve.smooth && points.size() > 20;
  std::string lines = fmt::format(R"(<path class="{}" d="{}"/>)", smooth ? "raw" : "line", path(thinned(points)));
  if (smooth) lines += fmt::format(R"(<path class="line" d="{}"/>)", path(thinned(smoothed(points))));
  return fmt::format(
      R"(<figure><figcaption>{}</figcaption><svg viewBox="0 0 560 234" role="img" aria-label="{} over the steps">{}{}{}</svg></figure>)"
      "\n",
      html(curve.title), html(curve.title), y_axis(kBox, values), x_axis(kBox, steps), lines);
}

std::string ridge_chart(std::string_view title, std::span<const RunRecord::Bins> rows) {
  const auto few = chosen(rows);
  if (few.empty()) return empty_chart(title);
  constexpr double kDistance = 11;
  constexpr double kHeight = 34;
  const Box box{
      .left = 26, .top = 8, .width = 286, .height = kHeight + kDistance * static_cast<double>(few.size() - 1)};
  std::vector<double> limits;
  for (const RunRecord::Bins* row : few) limits.insert(limits.end(), {row->min, row->max});
  const Range range = range_of(limits);
  std::string drawing;
  for (std::size_t i = 0; i < few.size(); ++i) {
    const double base = box.top + kHeight + kDistance * static_cast<double>(i);
    drawing += fmt::format(R"(<path class="ridge" d="{}Z"/>)", ridge(*few[i], box, range, base, kHeight));
    if (i == 0 || i + 1 == few.size() || i % 4 == 0) {
      drawing +=
          fmt::format(R"(<text x="{:.1f}" y="{:.1f}" class="step">{}</text>)", box.right() + 6, base + 1, few[i]->step);
    }
  }
  drawing += x_axis(box, range);
  return fmt::format(
      R"(<figure class="small"><figcaption>{}</figcaption><svg viewBox="0 0 360 {:.0f}" role="img" aria-label="distributions of {}">{}</svg></figure>)"
      "\n",
      html(title), box.bottom() + 22, html(title), drawing);
}

}  // namespace sgpt
