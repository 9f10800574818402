// Some of this program's tests again, in a process with another environment: for what a process asks once.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include <fmt/format.h>

namespace sgpt::testing {

/// Whether the tests that match `filter` pass, at least one of them, with "NAME=VALUE" in the environment.
inline ::testing::AssertionResult pass_with(const std::string& variable, const std::string& filter) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const std::string command =
      fmt::format("env {} '{}' --gtest_filter='{}' --gtest_brief=1 2>&1", variable, program, filter);
  FILE* output = ::popen(command.c_str(), "r");
  if (!output) return ::testing::AssertionFailure() << "cannot start: " << command;
  std::string said;
  char block[4096];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, output)) > 0;) said.append(block, n);
  const int status = ::pclose(output);
  const std::string mark = "[  PASSED  ] ";
  const std::size_t passed = said.find(mark);
  const bool some = passed != std::string::npos && std::stoi(said.substr(passed + mark.size())) > 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && some) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << command << "\nended with status " << status
                                       << (some ? "" : ", and no test passed") << ":\n"
                                       << said;
}

}  // namespace sgpt::testing
