// Runs the built program as a user would: arguments and stdin in; exit status, stdout and stderr out.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "temp_folder.h"

namespace sgpt::testing {

struct Outcome {
  int status = -1;  ///< exit status; 128 + N when signal N ended the program
  std::string out;
  std::string err;
};

/// The command line `sgpt ARGUMENTS…`.
std::vector<std::string> sgpt_command(const std::vector<std::string>& arguments);

/// Runs `sgpt ARGUMENTS…` with that stdin, and waits for its end (at most `seconds`, then SIGALRM ends it: status 142).
Outcome sgpt(const std::vector<std::string>& arguments, const std::string& input = {}, int seconds = 120);

/// The same, with stdout going into a file or device ("/dev/full").
Outcome sgpt_into(const std::string& stdout_path, const std::vector<std::string>& arguments);

/// The same, with at most so many bytes in any file that is written (RLIMIT_FSIZE): what a full disk does, for any
/// user.
Outcome sgpt_with_file_limit(std::size_t bytes, const std::vector<std::string>& arguments);

/// The command line of so many ranks of `sgpt ARGUMENTS…` under mpirun.
std::vector<std::string> under_mpirun(int ranks, const std::vector<std::string>& arguments);

/// Runs any command line, its first word being looked up in PATH.
Outcome run_command(const std::vector<std::string>& words);

/// A command line while it runs: to send signals to.
class RunningCommand {
 public:
  explicit RunningCommand(const std::vector<std::string>& words);
  ~RunningCommand();  // kills it if it still runs
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;

  void send(int signal) const;
  std::vector<pid_t> children() const;
  Outcome wait();

 private:
  TempFolder folder_;
  pid_t child_;
};

}  // namespace sgpt::testing
