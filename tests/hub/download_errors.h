// What the tests of downloads share: the model's largest file, what an error says, and how full the cache is.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <filesystem>
#include <iterator>
#include <string>

#include "hub/hub.h"

namespace sgpt::testing {

inline constexpr const char* kWeights = "model.safetensors";

/// What an Expected error says.
template <class Expected>
std::string sentence_of(const std::string& name, const HubOptions& options) {
  try {
    resolve_model(name, options);
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another kind of error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no error";
  return {};
}

inline std::size_t entries(const std::filesystem::path& folder) {
  std::error_code none;
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder, none), {}));
}

}  // namespace sgpt::testing
