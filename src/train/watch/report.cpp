#include "train/watch/report.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "train/watch/axis.h"
#include "train/watch/svg_chart.h"

namespace sgpt {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--page:#fbfaf8;--card:#fff;--text:#22252b;--soft:#6b7280;--line:#e6e4df;--accent:#2563a8;--faint:#2563a84d}
@media (prefers-color-scheme:dark){:root{--page:#14161a;--card:#1c1f25;--text:#e6e7ea;--soft:#9aa1ad;--line:#2d323b;--accent:#6fb1f2;--faint:#6fb1f24d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:40px 28px 64px;background:var(--page);color:var(--text);font:15px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
h1{margin:0;font-size:30px;letter-spacing:-.02em;overflow-wrap:anywhere}
h2{margin:40px 0 14px;font-size:18px}
.under{margin:4px 0 0;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;margin:26px 0 0}
.tile,figure,pre,.box{background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile{padding:12px 16px}
.tile b{display:block;font-size:24px;font-weight:600;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:14px}
.ridges{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:14px;margin:0 0 14px}
figure{margin:0;padding:14px 14px 6px;break-inside:avoid;min-width:0}
figcaption{font-weight:600;margin:0 4px 6px;overflow-wrap:anywhere}
.small figcaption{font:12px/1.4 ui-monospace,"DejaVu Sans Mono",monospace;font-weight:400}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.y,.last{text-anchor:end}.x{text-anchor:middle}.step{font-size:10px}
.small svg text{font-size:11px}
.grid{stroke:var(--line);fill:none}.axis{stroke:var(--soft);fill:none}
.line{stroke:var(--accent);stroke-width:2.2;fill:none;stroke-linejoin:round;stroke-linecap:round}
.raw{stroke:var(--faint);stroke-width:1;fill:none}
.ridge{fill:var(--card);stroke:var(--accent);stroke-width:1.1;stroke-linejoin:round}
.none{color:var(--soft);margin:8px 4px}
pre{margin:0;padding:14px 18px;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.6 ui-monospace,"DejaVu Sans Mono",monospace}
.box{padding:6px 18px}
table{border-collapse:collapse;width:100%}
td,th{padding:7px 0;text-align:left;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
tr:first-child>*{border-top:0}
th{font-weight:400;color:var(--soft);width:210px;padding-right:16px}
td{font-variant-numeric:tabular-nums}
summary{cursor:pointer;padding:8px 2px;font-weight:600}
@media (max-width:520px){.curves{grid-template-columns:1fr}body{padding:24px 14px}th{width:130px}}
@media print{:root{--page:#fff;--card:#fff;--text:#000;--soft:#444;--line:#ccc;--accent:#1d4f8b;--faint:#1d4f8b4d}body{padding:0;max-width:none;font-size:12px}.curves{grid-template-columns:1fr 1fr}.tile b{font-size:18px}}
)";

std::string fact(const RunRecord::Facts& facts, std::string_view name) {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const auto& fact) { return fact.first == name; });
  return found == facts.end() ? "" : found->second;
}

std::string tile(const std::string& value, std::string_view what) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", html(value), html(what));
}

std::string in_time(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{:.1f} s", seconds);
}

std::string tiles(const RunRecord& record) {
  const std::vector<TrainStep>& steps = record.steps;
  if (steps.empty()) return "<p class=\"under\">No step has been made yet.</p>\n";
  // The mean over the last steps says more than the last one.
  const std::size_t last = std::clamp<std::size_t>(steps.size() / 20, 1, 100);
  double loss = 0;
  double tokens = 0;
  double seconds = 0;
  for (std::size_t i = steps.size() - last; i < steps.size(); ++i) loss += steps[i].loss / static_cast<double>(last);
  for (const TrainStep& step : steps) {
    tokens += static_cast<double>(step.tokens);
    if (step.tokens_per_second > 0) seconds += static_cast<double>(step.tokens) / step.tokens_per_second;
  }
  const std::string planned = fact(record.facts, "steps planned");
  std::string text = "<div class=\"tiles\">\n";
  text += tile(loss >= 1e-3 && loss < 1e5 ? fmt::format("{:.4f}", loss) : short_number(loss),
               last == 1 ? "last loss" : fmt::format("loss, mean of the last {} steps", last));
  text += tile(std::to_string(steps.back().step + 1), planned.empty() ? "steps" : fmt::format("of {} steps", planned));
  text += tile(short_number(tokens), "tokens");
  text += tile(seconds > 0 ? fmt::format("{:.0f}", tokens / seconds) : "–", "tokens a second");
  text += tile(in_time(seconds), "in steps");
  return text + "</div>\n";
}

template <class Value>
std::string curve(const RunRecord& record, std::string_view title, bool smooth, const Value& value) {
  Curve drawn{.title = title, .steps = {}, .values = {}, .smooth = smooth};
  for (const TrainStep& step : record.steps) {
    drawn.steps.push_back(static_cast<double>(step.step));
    drawn.values.push_back(value(step));
  }
  return curve_chart(drawn);
}

std::string curves(const RunRecord& record) {
  return "<h2>Curves</h2>\n<div class=\"curves\">\n" +
         curve(record, "Loss", true, [](const TrainStep& step) { return step.loss; }) +
         curve(record, "Gradient norm, before clipping", true,
               [](const TrainStep& step) { return step.gradient_norm; }) +
         curve(record, "Learning rate", false, [](const TrainStep& step) { return step.learning_rate; }) +
         curve(record, "Tokens a second", true, [](const TrainStep& step) { return step.tokens_per_second; }) +
         "</div>\n";
}

std::string table(std::string_view heading, const RunRecord::Facts& facts) {
  if (facts.empty()) return {};
  std::string text = fmt::format("<h2>{}</h2>\n<div class=\"box\"><table>\n", html(heading));
  for (const auto& [name, value] : facts) {
    text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html(name), html(value));
  }
  return text + "</table></div>\n";
}

/// "gradients/h.3.mlp.dense_h_to_4h.bias" → "Gradients, layer 3"; what is in no layer → "Gradients, outside the
/// layers".
std::string group_of(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string parameter = slash == name.npos ? name : name.substr(slash + 1);
  std::string kind = name.substr(0, slash == name.npos ? 0 : slash);
  if (!kind.empty()) kind.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(kind.front())));
  // A layer's number stands behind "h." or "layers.".
  const std::size_t dot = parameter.find('.');
  const std::string number =
      dot == parameter.npos ? "" : parameter.substr(dot + 1, parameter.find('.', dot + 1) - dot - 1);
  if (number.empty() || number.find_first_not_of("0123456789") != number.npos) return kind + ", outside the layers";
  return fmt::format("{}, layer {}", kind, number);
}

std::string distributions(const RunRecord& record) {
  if (record.histograms.empty()) return {};
  std::vector<std::pair<std::string, std::string>> groups;  // in the order of their first name
  for (const auto& [name, rows] : record.histograms) {
    const std::string group = group_of(name);
    auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& other) { return other.first == group; });
    if (found == groups.end()) found = groups.insert(groups.end(), {group, ""});
    found->second += ridge_chart(name.substr(name.find('/') + 1), rows);
  }
  std::string text =
      "<h2>Distributions</h2>\n<p class=\"under\">Each line is the distribution of one parameter's numbers at a step; "
      "later steps stand in front.</p>\n";
  for (const auto& [group, charts] : groups) {
    text += fmt::format("<details{}><summary>{}</summary><div class=\"ridges\">\n{}</div></details>\n",
                        group == groups.front().first ? " open" : "", html(group), charts);
  }
  return text;
}

}  // namespace

std::string report_page(const RunRecord& record, const std::string& title) {
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} – training run</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n<p class=\"under\">Training run, begun {}</p>\n",
      html(title), kStyle, html(title), html(fact(record.facts, "started")));
  page += tiles(record);
  page += curves(record);
  page += table("Evaluation", record.evaluation);
  if (!record.command.empty()) page += fmt::format("<h2>Command</h2>\n<pre>{}</pre>\n", html(record.command));
  page += table("The run", record.facts);
  page += distributions(record);
  return page + "</body>\n</html>\n";
}

}  // namespace sgpt
