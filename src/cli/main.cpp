// The program: one sub-command a file, and the one place where exceptions become exit codes.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/filesystem.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/stop_signals.h"
#include "ranks/join_ranks.h"
#include "sgpt/error.h"

namespace {

int fail(int status, const char* what) {
  fmt::print(stderr, "sgpt: {}\n", what);
  return status;
}

/// "(see sgpt encode --help)", of the command that was being read.
std::string where_help_is(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return fmt::format("(see {} --help)", sgpt::cli::full_name(*command));
}

/// Under mpirun each process would do the same work, and write the same files, but for the commands that share it.
void refuse_several_processes(CLI::App& app) {
  const auto works_alone = [](const CLI::App* command) {
    const std::string& name = command->get_name();
    return name != "train" && name != "encode" && name != "eval" && name != "rerank";
  };
  for (CLI::App* command : app.get_subcommands(works_alone)) {
    command->preparse_callback([command](std::size_t) {
      if (sgpt::started_processes() == 1) return;
      throw sgpt::UserError(fmt::format(
          "sgpt {} runs as one process; mpirun is for sgpt train, encode, eval and rerank", command->get_name()));
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  sgpt::cli::end_cleanly_on_signals();
  sgpt::explain_bus_errors();
  CLI::App app{
      "Trains, evaluates and searches with SGPT bi-encoders: decoder language models as text-embedding models.",
      "sgpt"};
  app.require_subcommand(1);
  app.set_version_flag("--version", SGPT_VERSION);
  app.set_help_all_flag("--help-all", "Print the help of every command and exit");
  using namespace sgpt::cli;
  for (auto add : {add_encode, add_search, add_eval, add_rerank, add_score, add_bm25, add_train, add_init, add_convert,
                   add_tokenizer, add_tokenize, add_info, add_bench, add_pull, add_report, add_serve}) {
    add(app);
  }
  refuse_several_processes(app);
  take_values_as_typed(app);
  try {
    app.parse(marked_values(app, {argv + 1, argv + argc}));
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return fail(1, "stdout: writing failed; is the disk full?");
    return 0;
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return fail(2, fmt::format("{} {}", error.what(), where_help_is(app)).c_str());
  } catch (const Ended& ended) {
    if (ended.sentence.empty()) return ended.status;
    return fail(ended.status, ended.sentence.c_str());
  } catch (const sgpt::UserError& error) {
    return fail(2, error.what());
  } catch (const std::filesystem::filesystem_error& error) {  // of a library: ours come as the two kinds above
    const std::error_code code = error.code();
    return fail(sgpt::files::is_users_mistake(code.value()) ? 2 : 1,
                fmt::format("{}: {}", error.path1().string(), code.message()).c_str());
  } catch (const std::bad_alloc&) {
    return fail(1, "out of memory: use a smaller batch, token budget or model");
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
}
