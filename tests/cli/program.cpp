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
[[noreturn]] void become_program(const std::vector<std::string>& arguments, const Setting& setting, const char* input,
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
  std::vector<char*> words{const_cast<char*>(SGPT_PROGRAM)};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(SGPT_PROGRAM, words.data());
  _exit(126);
}

Outcome run(const std::vector<std::string>& arguments, const Setting& setting) {
  const TempFolder folder;
  const std::string input = folder.write("in", setting.input).string();
  const std::string out = (folder / "out").string();
  const std::string err = (folder / "err").string();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become_program(arguments, setting, input.c_str(), out.c_str(), err.c_str());
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(out), text_of(err)};
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

}  // namespace sgpt::testing
