#include "model/lora.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/random.h"
#include "formats/shown.h"
#include "model/family.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kAllLinear = "all-linear";

std::string module_of(const ParameterInfo& matrix) {
  return matrix.name.substr(0, matrix.name.size() - kWeight.size());
}

/// The last part of a module's name.
std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

bool is_plain(std::string_view pattern) {
  return std::all_of(pattern.begin(), pattern.end(), [](unsigned char c) {
    return c == '_' || c == '.' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
  });
}

bool ends_with_name(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return false;
  return name.size() == end.size() || name[name.size() - end.size() - 1] == '.';
}

std::regex compiled(const std::string& expression, const std::string& pattern, std::string_view where) {
  try {
    return std::regex(expression);
  } catch (const std::regex_error&) {
    throw UserError(
        fmt::format("{}: the regular expression {} cannot be read; expected the end of a module's name, or "
                    "an expression without what Python alone knows",
                    where, shown(pattern)));
  }
}

/// Neighbouring names get unrelated generators (FNV-1a).
std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == list.npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

[[noreturn]] void fail_target(const Architecture& architecture, const std::string& target) {
  std::set<std::string> there;
  for (const ParameterInfo& info : decoder_parameters(architecture)) {
    if (info.kind == ParameterKind::matrix) there.emplace(last_part(module_of(info)));
  }
  throw UserError(fmt::format("--lora_targets {}: no matrix of this {} is called so; there are {}", target,
                              architecture.family->name, fmt::join(there, ", ")));
}

/// Whether a module is meant by the targets, each of which is then crossed off.
std::function<bool(const std::string& module)> chooser(const std::string& targets, std::set<std::string>& unused) {
  if (targets == kAllLinear) return [](const std::string&) { return true; };
  unused.clear();
  const bool names = std::all_of(targets.begin(), targets.end(), [](char c) { return c == ',' || is_plain({&c, 1}); });
  if (!names) {
    unused.insert(targets);
    return [&unused, targets, expression = compiled(targets, targets, "--lora_targets")](const std::string& module) {
      if (!std::regex_match(module, expression)) return false;
      unused.clear();
      return true;
    };
  }
  const std::vector<std::string> ends = split(targets);
  unused.insert(ends.begin(), ends.end());
  return [&unused, ends](const std::string& module) {
    bool meant = false;
    for (const std::string& end : ends) {
      if (end.empty() || !ends_with_name(module, end)) continue;
      unused.erase(end);
      meant = true;
    }
    return meant;
  };
}

ParameterInfo part_of(const ParameterInfo& matrix, const LoraModule& module, LoraPart part, double scale) {
  ParameterInfo info;
  info.name = fmt::format("{}.lora_{}.weight", module.module, part == LoraPart::a ? "A" : "B");
  info.kind = ParameterKind::matrix;
  info.rows = part == LoraPart::a ? module.rank : matrix.rows;
  info.cols = part == LoraPart::a ? matrix.cols : module.rank;
  info.role = matrix.role;
  info.lora = part;
  info.lora_scale = static_cast<float>(scale);
  return info;
}

}  // namespace

double Lora::scale(const LoraModule& module) const {
  const auto rank = static_cast<double>(module.rank);
  return module.alpha / (rank_stabilised ? std::sqrt(rank) : rank);
}

std::vector<ParameterInfo> decoder_parameters(const Architecture& architecture, const Lora& lora) {
  std::map<std::string_view, const LoraModule*> adapted;
  for (const LoraModule& module : lora.modules) adapted.emplace(module.module, &module);
  std::vector<ParameterInfo> table;
  for (ParameterInfo& info : decoder_parameters(architecture)) {
    table.push_back(std::move(info));
    if (table.back().kind != ParameterKind::matrix) continue;
    const auto found = adapted.find(module_of(table.back()));
    if (found == adapted.end()) continue;
    const LoraModule& module = *found->second;
    const ParameterInfo matrix = table.back();
    table.push_back(part_of(matrix, module, LoraPart::a, lora.scale(module)));
    table.push_back(part_of(matrix, module, LoraPart::b, lora.scale(module)));
    adapted.erase(found);
  }
  if (!adapted.empty()) {
    throw UserError(fmt::format("{} has no matrix {}, which is to be adapted", architecture.family->name,
                                shown(adapted.begin()->first)));
  }
  return table;
}

Lora new_lora(const Architecture& architecture, const NewLora& wanted) {
  Lora lora;
  lora.rank_stabilised = wanted.rank_stabilised;
  std::set<std::string> unused;
  const auto is_meant = chooser(wanted.targets, unused);
  for (const ParameterInfo& info : decoder_parameters(architecture)) {
    if (info.kind != ParameterKind::matrix) continue;
    std::string module = module_of(info);
    if (is_meant(module)) lora.modules.push_back({std::move(module), wanted.rank, wanted.alpha});
  }
  if (!unused.empty() || lora.modules.empty()) {
    fail_target(architecture, unused.empty() ? wanted.targets : *unused.begin());
  }
  lora.start = [seed = wanted.seed](const ParameterInfo& info, std::span<float> values) {
    std::ranges::fill(values, 0.0f);
    if (info.lora == LoraPart::b) return;
    Random random(seed, stream_of(info.name));
    const double bound = 1 / std::sqrt(static_cast<double>(info.cols));
    for (float& value : values) value = static_cast<float>(bound * (2 * random.uniform() - 1));
  };
  return lora;
}

bool ends_with_pattern(std::string_view name, const std::string& pattern, std::string_view where) {
  if (is_plain(pattern) && pattern.find('.') == pattern.npos) return ends_with_name(name, pattern);
  // A full stop in a name stands for any letter, as PEFT takes it.
  const std::regex expression = compiled(fmt::format("(?:.*\\.)?(?:{})", pattern), pattern, where);
  return std::regex_match(name.begin(), name.end(), expression);
}

}  // namespace sgpt
