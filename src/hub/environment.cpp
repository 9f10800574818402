// The environment variables of huggingface_hub, so that both programs use one cache, one token and one endpoint.
#include <pwd.h>
#include <unistd.h>

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

std::string home_of(const passwd* user) { return user && user->pw_dir ? user->pw_dir : ""; }

/// As Python's os.path.expanduser: "~" and "~/…" are the home folder, "~name…" that of another user.
std::string expand_user(const std::string& path) {
  if (!path.starts_with('~')) return path;
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string user = path.substr(1, end - 1);
  std::string home = user.empty() ? variable("HOME") : home_of(::getpwnam(user.c_str()));
  if (home.empty() && user.empty()) home = home_of(::getpwuid(::getuid()));
  return home.empty() ? path : home + path.substr(end);
}

bool is_word(unsigned char c) { return std::isalnum(c) || c == '_'; }

/// As Python's os.path.expandvars: $NAME and ${NAME}; one that is not set stays as it stands.
std::string expand_variables(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t begin = i + 1;
    std::size_t end = begin;  // of the name
    std::size_t next = begin;
    if (text[i] == '$' && begin < text.size() && text[begin] == '{') {
      end = text.find('}', ++begin);
      next = end == text.npos ? begin : end + 1;
    } else if (text[i] == '$') {
      while (end < text.size() && is_word(static_cast<unsigned char>(text[end]))) ++end;
      next = end;
    }
    const bool named = end != text.npos && end > begin;
    const char* value = named ? std::getenv(text.substr(begin, end - begin).c_str()) : nullptr;
    if (!named) next = i + 1;
    result += value ? std::string(value) : text.substr(i, next - i);
    i = next;
  }
  return result;
}

/// The folder that a variable names, expanded as huggingface_hub does; empty where it is not set.
std::filesystem::path folder_variable(const char* name) { return expand_variables(expand_user(variable(name))); }

bool is_true(const char* name) {
  std::string value = variable(name);
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::toupper(c); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::filesystem::path hub_home() {
  if (auto home = folder_variable("HF_HOME"); !home.empty()) return home;
  if (auto cache = folder_variable("XDG_CACHE_HOME"); !cache.empty()) return cache / "huggingface";
  const std::string home = expand_user("~");
  return std::filesystem::path(home == "~" ? "" : home) / ".cache" / "huggingface";
}

std::filesystem::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {  // the second is the older name
    if (auto cache = folder_variable(name); !cache.empty()) return cache;
  }
  return hub_home() / "hub";
}

std::string hub_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {  // the second is the older name
    if (std::string token = trimmed(variable(name)); !token.empty()) return token;
  }
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
