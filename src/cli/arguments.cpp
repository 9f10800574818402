#include "cli/arguments.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/nearest_name.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

constexpr char kMark = '=';

/// The groups of options within a command are commands without a name to CLI11.
std::vector<CLI::App*> named_commands(CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_name().empty(); });
}

std::vector<CLI::Option*> options_of(CLI::App& app) {
  std::vector<CLI::Option*> options = app.get_options(std::function<bool(CLI::Option*)>());
  for (CLI::App* group : app.get_subcommands([](const CLI::App* command) { return command->get_name().empty(); })) {
    const auto own = options_of(*group);
    options.insert(options.end(), own.begin(), own.end());
  }
  return options;
}

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

/// "--top_k" for -k, --top_k and --top-k.
std::string name_of(const CLI::Option& option) {
  const auto& names = option.get_lnames();
  return names.empty() ? option.get_name() : "--" + names.front();
}

std::vector<std::string> names_of_options(CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(command)) {
    if (option->nonpositional()) names.push_back(name_of(*option));
  }
  return names;
}

/// What was typed, without its dashes (an editor may have made a long one of them) and value, as an option.
std::string as_option(std::string_view word) {
  for (const std::string_view dash : {"-", "–", "—", "−"}) {
    while (word.starts_with(dash)) word.remove_prefix(dash.size());
  }
  return "--" + std::string(word.substr(0, word.find('=')));
}

/// Goes through the words once.
class Reader {
 public:
  Reader(CLI::App& app, std::span<const char* const> words) : root_(app), command_(&app) {
    for (const char* word : words) words_.emplace_back(word);
  }

  std::vector<std::string> read() {
    while (place_ < words_.size()) {
      const std::string& word = words_[place_++];
      if (only_values_ || !begins_option(word)) {
        argument(word);
      } else if (word == "--") {
        only_values_ = true;
      } else if (option(word)) {
        return reversed();  // help is all that is wanted
      }
    }
    if (command_->get_require_subcommand_min() > 0) {
      throw UserError(
          fmt::format("{} needs a command: {}{}", full_name(*command_), listed(names_of_commands(*command_)), hint()));
    }
    return reversed();
  }

 private:
  static std::vector<std::string> names_of_commands(CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : named_commands(app)) names.push_back(command->get_name());
    return names;
  }

  std::string hint() const { return fmt::format(" (see {} --help)", full_name(*command_)); }

  std::vector<std::string> reversed() {
    std::reverse(read_.begin(), read_.end());
    return std::move(read_);
  }

  /// "-" is a file's name, "-5" a number, and "- a" a text.
  static bool begins_option(const std::string& word) {
    if (word.size() < 2 || word[0] != '-') return false;
    const char second = word[1];
    return second == '-' || (second >= 'a' && second <= 'z') || (second >= 'A' && second <= 'Z');
  }

  void value(const std::string& word) { read_.push_back(kMark + word); }

  void argument(const std::string& word) {
    if (!named_commands(*command_).empty()) return enter(word);
    for (const CLI::Option* option : options_of(*command_)) {
      const bool room = option->get_allow_extra_args() || given_[option] < option->get_items_expected_max();
      if (!option->get_positional() || !room) continue;
      ++given_[option];
      return value(word);
    }
    throw UserError(fmt::format("{}: the argument \"{}\" was not expected{}{}", full_name(*command_), word,
                                did_you_mean(as_option(word), names_of_options(*command_)), hint()));
  }

  void enter(const std::string& word) {
    for (CLI::App* command : named_commands(*command_)) {
      if (command->get_name() != word) continue;
      command_ = command;
      return read_.push_back(word);
    }
    const auto names = names_of_commands(*command_);
    const std::string near = did_you_mean(word, names);
    throw UserError(fmt::format("\"{}\" is no command of {}{}{}", word, full_name(*command_),
                                near.empty() ? "; there are " + listed(names) : near, hint()));
  }

  CLI::Option* find(const std::string& name) const {
    for (CLI::Option* option : options_of(*command_)) {
      const auto& names = name.starts_with("--") ? option->get_lnames() : option->get_snames();
      const std::string bare = name.substr(name.starts_with("--") ? 2 : 1);
      if (std::find(names.begin(), names.end(), bare) != names.end()) return option;
    }
    return nullptr;
  }

  /// True when it asks for help or the version.
  bool option(const std::string& word) {
    const bool is_long = word.starts_with("--");
    const std::size_t end = is_long ? std::min(word.find(kMark), word.size()) : 2;
    const std::string name = word.substr(0, end);
    CLI::Option* found = find(name);
    if (found == nullptr) unknown(word, name);
    if (is_flag(*found)) {
      if (!is_long && end < word.size()) unknown(word, word);
      if (end < word.size()) {
        throw UserError(fmt::format("{}: {} takes no value, found \"{}\"{}", full_name(*command_), name,
                                    word.substr(end + 1), hint()));
      }
      read_.push_back(word);
      return found == command_->get_help_ptr() || found == command_->get_help_all_ptr() ||
             found == command_->get_version_ptr();
    }
    once(*found, name);
    read_.push_back(name);
    if (end < word.size()) {
      value_of(*found, name, word.substr(end + (word[end] == kMark ? 1 : 0)));
    } else if (!values(*found, name)) {
      const std::string after = place_ < words_.size() ? fmt::format(", found {}", words_[place_]) : "";
      throw UserError(fmt::format("{}: {} needs a value{}{}", full_name(*command_), name, after,
                                  after.empty() ? hint()
                                                : fmt::format("; a value that begins with a dash is "
                                                              "written {}={}",
                                                              name, words_[place_])));
    }
    return false;
  }

  /// Most options would take an empty value, a shell variable that is not set, for none at all.
  void value_of(const CLI::Option& option, const std::string& name, const std::string& word) {
    if (word.empty() && option.get_type_name() != kPromptType) {
      throw UserError(fmt::format("{}: {} needs a value, found an empty one{}", full_name(*command_), name, hint()));
    }
    value(word);
  }

  /// The words behind an option that are its own; false when it has none and needs one.
  bool values(const CLI::Option& option, const std::string& name) {
    const bool several = option.get_allow_extra_args();
    bool any = option.get_items_expected_min() == 0;
    while (place_ < words_.size()) {
      const std::string& word = words_[place_];
      // A short "-x" may be meant as a value where one must come; what looks like a long option hardly is.
      if (word.starts_with("--") || (begins_option(word) && (any || find(word.substr(0, 2)) != nullptr))) break;
      value_of(option, name, word);
      ++place_;
      any = true;
      if (!several) break;
    }
    return any;
  }

  void once(const CLI::Option& option, const std::string& name) {
    if (++given_[&option] == 1 || option.get_allow_extra_args()) return;
    throw UserError(fmt::format("{}: {} is given twice{}", full_name(*command_), name, hint()));
  }

  [[noreturn]] void unknown(const std::string& word, const std::string& name) {
    const std::string wanted = as_option(word);
    std::string help = did_you_mean(wanted, names_of_options(*command_));
    if (help.empty()) {
      std::vector<std::string> owners;
      for (CLI::App* command : named_commands(root_)) {
        const auto names = names_of_options(*command);
        if (std::find(names.begin(), names.end(), wanted) != names.end()) owners.push_back(full_name(*command));
      }
      if (!owners.empty()) help = fmt::format("; it is one of {}", listed(owners));
    }
    if (help.empty() && takes_arguments()) help = "; an argument that begins with a dash stands behind --";
    throw UserError(fmt::format("{} is no option of {}{}{}", name.starts_with("--") ? name : word, full_name(*command_),
                                help, hint()));
  }

  bool takes_arguments() const {
    const auto options = options_of(*command_);
    return std::any_of(options.begin(), options.end(), [](const auto* option) { return option->get_positional(); });
  }

  CLI::App& root_;
  CLI::App* command_;
  std::vector<std::string> words_;
  std::size_t place_ = 0;
  bool only_values_ = false;
  std::map<const CLI::Option*, int> given_;
  std::vector<std::string> read_;
};

}  // namespace

void take_values_as_typed(CLI::App& app) {
  for (CLI::Option* option : options_of(app)) {
    if (is_flag(*option)) continue;
    option->transform([](const std::string& value) { return value.starts_with(kMark) ? value.substr(1) : value; });
  }
  for (CLI::App* command : named_commands(app)) take_values_as_typed(*command);
}

std::vector<std::string> marked_values(CLI::App& app, std::span<const char* const> words) {
  return Reader(app, words).read();
}

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? "sgpt" : fmt::format("{} {}", full_name(*parent), app.get_name());
}

}  // namespace sgpt::cli
