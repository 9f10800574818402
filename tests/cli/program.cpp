#include "cli/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "sanitizers.h"
#include "temp_folder.h"

namespace sgpt::testing {
namespace {

struct Setting {
  std::string input{};
  std::string stdout_path{};   // empty: caught
  std::size_t file_limit = 0;  // 0: none
  unsigned seconds = 120;
};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void redirect(const char* path, int flags, int descriptor) {
  const int file = open(path, flags, 0600);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
}

/// In the child: never returns.
[[noreturn]] void become_program(const std::vector<std::string>& command, const Setting& setting, const char* input,
                                 const char* out, const char* err) {
  redirect(input, O_RDONLY, 0);
  redirect(setting.stdout_path.empty() ? out : setting.stdout_path.c_str(), O_WRONLY | O_CREAT, 1);
  redirect(err, O_WRONLY | O_CREAT, 2);
  if (setting.file_limit > 0) {
    const rlimit limit{setting.file_limit, setting.file_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, SIG_IGN);  // writing then fails with EFBIG, as it fails with ENOSPC on a full disk
  }
  alarm(setting.seconds);  // lasts through exec; ends a program that hangs
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words.front(), words.data());
  _exit(126);
}

pid_t start(const std::vector<std::string>& command, const Setting& setting, const TempFolder& folder) {
  const std::string input = folder.write("in", setting.input).string();
  const std::string out = (folder / "out").string();
  const std::string err = (folder / "err").string();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become_program(command, setting, input.c_str(), out.c_str(), err.c_str());
  return child;
}

Outcome wait_for(pid_t child, const TempFolder& folder) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(folder / "out"),
          text_of(folder / "err")};
}

Outcome run(const std::vector<std::string>& arguments, const Setting& setting) {
  const TempFolder folder;
  return wait_for(start(sgpt_command(arguments), setting, folder), folder);
}

}  // namespace

Outcome sgpt(const std::vector<std::string>& arguments, const std::string& input, int seconds) {
  return run(arguments, {.input = input, .seconds = static_cast<unsigned>(seconds)});
}

Outcome sgpt_into(const std::string& stdout_path, const std::vector<std::string>& arguments) {
  return run(arguments, {.stdout_path = stdout_path});
}

Outcome sgpt_with_file_limit(std::size_t bytes, const std::vector<std::string>& arguments) {
  return run(arguments, {.file_limit = bytes});
}

std::vector<std::string> sgpt_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{SGPT_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

std::vector<std::string> under_mpirun(int ranks, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
                                 "-n",     std::to_string(ranks)};
  // Open MPI leaves memory behind at its end, which is not ours to free.
  if (kAddressSanitizer) words.insert(words.end(), {"-x", "ASAN_OPTIONS=detect_leaks=0"});
  for (const std::string& word : sgpt_command(arguments)) words.push_back(word);
  return words;
}

Outcome run_command(const std::vector<std::string>& words) {
  const TempFolder folder;
  return wait_for(start(words, {}, folder), folder);
}

RunningCommand::RunningCommand(const std::vector<std::string>& words) : child_(start(words, {}, folder_)) {}

RunningCommand::~RunningCommand() {
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

void RunningCommand::send(int signal) const { kill(child_, signal); }

std::vector<pid_t> RunningCommand::children() const {
  const std::string process = std::to_string(child_);
  std::ifstream in("/proc/" + process + "/task/" + process + "/children");
  return {std::istream_iterator<pid_t>(in), {}};
}

Outcome RunningCommand::wait() { return wait_for(std::exchange(child_, 0), folder_); }

}  // namespace sgpt::testing
