// Runs the built program as a user would: arguments and stdin in; exit status, stdout and stderr out.
#pragma once

#include <string>
#include <vector>

namespace sgpt::testing {

struct Outcome {
  int status = -1;  ///< exit status; 128 + N when signal N ended the program
  std::string out;
  std::string err;
};

/// Runs `sgpt ARGUMENTS…` with that stdin, and waits for its end (at most `seconds`, then SIGALRM ends it: status 142).
Outcome sgpt(const std::vector<std::string>& arguments, const std::string& input = {}, int seconds = 120);

/// The same, with stdout going into a file or device ("/dev/full").
Outcome sgpt_into(const std::string& stdout_path, const std::vector<std::string>& arguments);

/// The same, with at most so many bytes in any file that is written (RLIMIT_FSIZE): what a full disk does, for any
/// user.
Outcome sgpt_with_file_limit(std::size_t bytes, const std::vector<std::string>& arguments);

}  // namespace sgpt::testing
