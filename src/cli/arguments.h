// The command line, read word by word before CLI11 sees it: a mistyped command or option is told by its name, and a
// value stays what was typed.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace sgpt::cli {

/// CLI11 gives values a meaning of its own: "[a, b]" becomes two, "train" is a command wherever it stands, "" and "++"
/// vanish. So each value reaches it behind a mark, "=[a, b]", which every option takes off again: call this once, when
/// all options are there.
void take_values_as_typed(CLI::App& app);

/// The words of the command line in that form, as CLI::App::parse wants them: last word first. Throws UserError, which
/// speaks of the first thing that is wrong: a command or option that does not exist (with the nearest one that does),
/// an option without its value or given twice, an argument too many, no command at all.
std::vector<std::string> marked_values(CLI::App& app, std::span<const char* const> words);

/// The type name of options to which an empty value is one, no prompt; others refuse it, since it is a shell variable
/// that was not set.
inline constexpr const char* kPromptType = "PROMPT";

/// "sgpt tokenizer train": the command that was parsed, for messages.
std::string full_name(const CLI::App& app);

}  // namespace sgpt::cli
