// sgpt search: the documents of a corpus that answer a query best.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/json_lines.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/unicode.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "encode/text_source.h"
#include "retrieval/corpus_index.h"
#include "retrieval/one_line.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

constexpr std::size_t kWidthOfFiles = 160;  // columns of a line that no terminal shows
constexpr std::size_t kWidestId = 40;       // columns
constexpr std::size_t kQueriesAtOnce = 256;

struct SearchArguments {
  std::filesystem::path model;
  std::string corpus;
  std::string cache;
  std::string queries_file;
  std::vector<std::string> queries;
  std::int64_t top_k = 10;
  bool json = false;
  EncoderOptions encoder;
};

std::size_t output_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kWidthOfFiles;
}

/// Rank, score, id, and the title or the beginning of the text: a line each, as wide as the terminal.
std::string for_people(const std::vector<Hit>& hits, const CorpusIndex& index) {
  struct Row {
    std::string id;
    std::string text;
  };
  std::vector<Row> rows;
  std::size_t id_columns = 0;
  for (const Hit& hit : hits) {
    const Document document = index.document(hit.document);
    const bool titled = !strip(document.title).empty();
    rows.push_back({one_line(document.id, kWidestId), titled ? document.title : document.content});
    id_columns = std::max(id_columns, columns_of(rows.back().id));
  }
  const std::size_t width = output_width();
  std::string lines;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string padding(id_columns - columns_of(rows[i].id), ' ');
    const std::string start = fmt::format("{:3}  {:.4f}  {}{}  ", i + 1, hits[i].score, rows[i].id, padding);
    const std::size_t used = columns_of(start);
    lines += start + one_line(rows[i].text, width > used ? width - used : 0) + "\n";
  }
  return lines;
}

/// One object a query and line.
std::string for_machines(const std::string& query, const std::vector<Hit>& hits, const CorpusIndex& index) {
  std::string json = fmt::format("{{\"query\": {}, \"hits\": [", json_quoted(query));
  int rank = 0;
  for (const Hit& hit : hits) {
    const Document document = index.document(hit.document);
    json += fmt::format("{}{{\"rank\": {}, \"score\": {}, \"id\": {}, \"title\": {}, \"text\": {}}}",
                        rank > 0 ? ", " : "", rank + 1, hit.score, json_quoted(document.id),
                        json_quoted(document.title), json_quoted(document.text));
    ++rank;
  }
  return json + "]}\n";
}

void check_query(const std::string& query, std::size_t number) {
  if (const auto bad = invalid_utf8(query)) {
    throw UserError(fmt::format("query {}: byte {} is no valid UTF-8", number, *bad));
  }
  if (strip(query).empty()) throw UserError(fmt::format("query {} is empty; expected a text to search for", number));
}

/// `several`: each answer is headed by its query.
void answer(const std::vector<std::string>& queries, bool several, const SearchArguments& arguments,
            const CorpusIndex& index) {
  const auto hits = index.search(queries, arguments.top_k);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (arguments.json) {
      print_result(for_machines(queries[i], hits[i], index));
    } else if (several) {
      print_result(fmt::format("{}\n{}\n", one_line(queries[i], output_width()), for_people(hits[i], index)));
    } else {
      print_result(for_people(hits[i], index));
    }
  }
}

/// Queries that are known beforehand are answered many at a time: the corpus is gone through once for all of them.
void answer_all(const std::vector<std::string>& queries, const SearchArguments& arguments, const CorpusIndex& index) {
  for (std::size_t first = 0; first < queries.size(); first += kQueriesAtOnce) {
    const std::size_t end = std::min(first + kQueriesAtOnce, queries.size());
    answer({queries.begin() + static_cast<std::ptrdiff_t>(first), queries.begin() + static_cast<std::ptrdiff_t>(end)},
           queries.size() > 1, arguments, index);
  }
}

/// A line of stdin, a query; a person at a terminal is asked for each.
void answer_stdin(const SearchArguments& arguments, const CorpusIndex& index) {
  const bool asked = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
  if (asked) {
    log::info(fmt::format("{} documents; type what you look for, an empty line or Ctrl-D ends", index.documents()));
  }
  LineReader lines("-");
  for (std::string_view line;;) {
    if (asked) fmt::print(stderr, "search> ");
    if (!lines.next(line)) break;
    const bool empty = line.find_first_not_of(" \t") == std::string_view::npos;
    if (empty && asked) return;
    if (empty) continue;
    const std::string query(line);
    try {
      check_query(query, static_cast<std::size_t>(lines.number()));
    } catch (const UserError& error) {
      if (!asked) throw;
      log::warning(error.what());  // a person may simply ask again
      continue;
    }
    answer({query}, !asked, arguments, index);
  }
  if (asked) fmt::print(stderr, "\n");
}

std::vector<std::string> queries_of(const SearchArguments& arguments) {
  std::vector<std::string> queries = arguments.queries;
  if (!arguments.queries_file.empty()) {
    TextSource source(arguments.queries_file, TextFormat::automatic);
    for (std::string query; source.next(query);) queries.push_back(query);
    if (queries.empty()) throw UserError(fmt::format("{}: no query found", arguments.queries_file));
  }
  for (std::size_t i = 0; i < queries.size(); ++i) check_query(queries[i], i + 1);
  return queries;
}

void run_search(const SearchArguments& arguments) {
  const auto queries = queries_of(arguments);
  const MappedFile corpus(arguments.corpus);  // a wrong path is told before the model is loaded
  const Encoder encoder =
      load_encoder(model_folder(arguments.model), arguments.encoder, this_process_alone(), [&](const Encoder& loaded) {
        return CorpusIndex::recorded_compute_type(loaded, arguments.corpus, arguments.cache);
      });
  const CorpusIndex index(encoder, arguments.corpus, arguments.cache);
  if (queries.empty()) {
    answer_stdin(arguments, index);
  } else {
    answer_all(queries, arguments, index);
  }
}

}  // namespace

void add_search(CLI::App& app) {
  auto* command = app.add_subcommand("search", "Find the documents of a corpus that answer a query best");
  command->footer(
      "Without QUERY and --queries, queries are read from stdin, a line each; at a terminal you are asked.");
  auto arguments = std::make_shared<SearchArguments>();
  add_model_option(*command, "--model", arguments->model);
  command
      ->add_option(names("--corpus"), arguments->corpus,
                   "Documents: lines of JSON with \"_id\", \"text\" and, where there is one, \"title\"")
      ->required()
      ->type_name("FILE.jsonl");
  command
      ->add_option(names("--cache"), arguments->cache,
                   "Where the documents' embeddings are kept for the next search. By default CORPUS.MODEL.sgpt-cache "
                   "beside the corpus")
      ->type_name("FILE");
  command->add_option(names("-k,--top_k"), arguments->top_k, "Documents to show for a query")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option(names("--queries"), arguments->queries_file,
                   "File of queries: lines of text, or lines of JSON with \"text\" where its name ends in .jsonl")
      ->type_name("FILE");
  command->add_flag(names("--json"), arguments->json, "Print JSON, an object for each query on a line of its own");
  add_encoder_options(*command, arguments->encoder);
  command->add_option("QUERY", arguments->queries, "What to look for; quote it to keep its words together")
      ->type_name("TEXT");
  command->callback([arguments] { run_search(*arguments); });
}

}  // namespace sgpt::cli
