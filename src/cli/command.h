// What the sub-commands share: each file under cli/ adds one of them to the program; parsing and printing only.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sgpt::cli {

/// Thrown to end the program with an exit status of its own, after this sentence on stderr (none when it is empty).
struct Ended {
  int status;
  std::string sentence;
};

/// "--max_seq_length" also answers to "--max-seq-length": the spelling of an option for CLI::App::add_option. Several
/// spellings are separated by commas ("-k,--top_k").
std::string names(const std::string& spelling);

void add_tokenize(CLI::App& app);
void add_tokenizer(CLI::App& app);
void add_encode(CLI::App& app);
void add_eval(CLI::App& app);
void add_rerank(CLI::App& app);
void add_score(CLI::App& app);
void add_bm25(CLI::App& app);
void add_search(CLI::App& app);
void add_train(CLI::App& app);
void add_init(CLI::App& app);
void add_convert(CLI::App& app);
void add_info(CLI::App& app);
void add_bench(CLI::App& app);
void add_pull(CLI::App& app);
void add_report(CLI::App& app);
void add_serve(CLI::App& app);

}  // namespace sgpt::cli
