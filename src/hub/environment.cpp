// The environment variables of huggingface_hub, so that both programs use one cache, one token and one endpoint.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "hub/hub.h"

namespace sgpt {
namespace {

/// Empty where the variable is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string trimmed(std::string text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

/// The folder that a variable names, "~" standing for the home folder; empty where it is not set.
std::filesystem::path folder_variable(const char* name) {
  const std::string value = variable(name);
  if (value == "~" || value.starts_with("~/")) return variable("HOME") + value.substr(1);
  return value;
}

bool is_true(const char* name) {
  std::string value = variable(name);
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::toupper(c); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::filesystem::path hub_home() {
  if (auto home = folder_variable("HF_HOME"); !home.empty()) return home;
  if (auto cache = folder_variable("XDG_CACHE_HOME"); !cache.empty()) return cache / "huggingface";
  return std::filesystem::path(variable("HOME")) / ".cache" / "huggingface";
}

std::filesystem::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {  // the second is the older name
    if (auto cache = folder_variable(name); !cache.empty()) return cache;
  }
  return hub_home() / "hub";
}

std::string hub_token() {
  if (std::string token = trimmed(variable("HF_TOKEN")); !token.empty()) return token;
  std::filesystem::path path = folder_variable("HF_TOKEN_PATH");
  if (path.empty()) path = hub_home() / "token";
  std::ifstream file(path);
  return trimmed({std::istreambuf_iterator<char>(file), {}});
}

}  // namespace

HubOptions hub_options_from_environment() {
  HubOptions options;
  options.cache = hub_cache();
  options.token = hub_token();
  options.offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
  if (const std::string endpoint = trimmed(variable("HF_ENDPOINT")); !endpoint.empty()) options.endpoint = endpoint;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  return options;
}

}  // namespace sgpt
