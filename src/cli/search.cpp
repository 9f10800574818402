// sgpt search: the documents of a corpus that answer a query best.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/byte_source.h"
#include "base/json_lines.h"
#include "base/json_string.h"
#include "base/log.h"
#include "base/unicode.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/one_line.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/rerank_options.h"
#include "encode/reranker_parts.h"
#include "encode/text_source.h"
#include "retrieval/corpus_index.h"
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
  std::optional<Similarity> similarity;
  std::filesystem::path rerank;  // a language model; empty: hits stay as they were found
  std::int64_t rerank_top_k = 100;
  std::string text_template;
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
std::string for_machines(const std::string& query, const std::optional<std::string>& query_id,
                         const std::vector<Hit>& hits, const CorpusIndex& index) {
  const std::string id = query_id ? fmt::format("\"id\": {}, ", json_quoted(*query_id)) : "";
  std::string json = fmt::format("{{{}\"query\": {}, \"hits\": [", id, json_quoted(query));
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

/// What is looked for, and where it stands.
class Questions {
 public:
  void add(std::string text, std::string place, std::optional<std::string> id = {}) {
    if (const auto bad = invalid_utf8(text)) {
      throw UserError(fmt::format("{}: byte {} of the query is no valid UTF-8", place, *bad));
    }
    if (strip(text).empty()) {
      throw UserError(fmt::format("{}: the query is empty; expected a text to search for", place));
    }
    texts.push_back(std::move(text));
    places.push_back(std::move(place));
    ids.push_back(std::move(id));
  }

  std::size_t size() const { return texts.size(); }

  std::vector<std::string> texts;
  std::vector<std::string> places;
  std::vector<std::optional<std::string>> ids;  // as their file has them
};

/// What answers: the documents, and what ranks the best of them anew, if anything.
struct Answerer {
  const CorpusIndex& index;
  const Reranker* reranker = nullptr;
};

/// Throws UserError for a query that the language model cannot be asked, by its place.
void require_rankable(const Questions& questions, const Answerer& answerer) {
  if (!answerer.reranker) return;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    try {
      static_cast<void>(answerer.reranker->parts().query_ids(questions.texts[i]));
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: {}", questions.places[i], error.what()));
    }
  }
}

/// By how probable the query is after each document; equal ones as they were found.
void rank_anew(const std::string& query, const Answerer& answerer, std::vector<Hit>& hits) {
  std::vector<std::string> documents;
  for (const Hit& hit : hits) documents.emplace_back(strip(answerer.index.document(hit.document).content));
  const std::vector<double> scores = answerer.reranker->score(query, documents);
  for (std::size_t i = 0; i < hits.size(); ++i) hits[i].score = static_cast<float>(scores[i]);
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
}

/// `several`: each answer is headed by its query.
void answer(const Questions& questions, std::size_t first, std::size_t count, bool several,
            const SearchArguments& arguments, const Answerer& answerer) {
  const CorpusIndex& index = answerer.index;
  const auto texts = std::span(questions.texts).subspan(first, count);
  const std::int64_t wanted = answerer.reranker ? std::max(arguments.top_k, arguments.rerank_top_k) : arguments.top_k;
  auto hits = index.search(texts, wanted, TextPlaces(questions.places).subspan(first, count), arguments.similarity);
  for (std::size_t i = 0; i < count && answerer.reranker; ++i) {
    rank_anew(texts[i], answerer, hits[i]);
    if (std::ssize(hits[i]) > arguments.top_k) hits[i].resize(static_cast<std::size_t>(arguments.top_k));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (arguments.json) {
      print_result(for_machines(texts[i], questions.ids[first + i], hits[i], index));
    } else if (several) {
      print_result(fmt::format("{}\n{}\n", one_line(texts[i], output_width()), for_people(hits[i], index)));
    } else {
      print_result(for_people(hits[i], index));
    }
  }
}

/// Queries that are known beforehand are answered many at a time: the corpus is gone through once for all of them.
void answer_all(const Questions& questions, const SearchArguments& arguments, const Answerer& answerer) {
  for (std::size_t first = 0; first < questions.size(); first += kQueriesAtOnce) {
    const std::size_t count = std::min(kQueriesAtOnce, questions.size() - first);
    answer(questions, first, count, questions.size() > 1, arguments, answerer);
  }
}

/// A person at a terminal is asked for one query after the other.
void ask(const SearchArguments& arguments, const Answerer& answerer) {
  log::info(
      fmt::format("{} documents; type what you look for, an empty line or Ctrl-D ends", answerer.index.documents()));
  LineReader lines("-");
  for (std::string_view line;;) {
    fmt::print(stderr, "search> ");
    if (!lines.next(line)) break;
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    Questions question;
    try {
      question.add(std::string(line), lines.place());
      require_rankable(question, answerer);
    } catch (const UserError& error) {
      log::warning(error.what());  // a person may simply ask again
      continue;
    }
    answer(question, 0, 1, false, arguments, answerer);
  }
  fmt::print(stderr, "\n");
}

/// The next text of a source, whose lines without one are passed over, and told.
class QuestionSource {
 public:
  explicit QuestionSource(const std::filesystem::path& path) : source_(path, TextFormat::automatic) {}

  bool next(Questions& questions) {
    for (std::string text; source_.next(text);) {
      std::optional<std::string> id = source_.id();
      if (!id && strip(text).empty()) {
        if (blank_++ == 0) first_blank_ = source_.place();
        continue;
      }
      questions.add(std::move(text), source_.place(), std::move(id));
      return true;
    }
    if (blank_ > 0) {
      log::warning(fmt::format("{}: a blank line, the first of {} that were passed over", first_blank_, blank_));
    }
    return false;
  }

 private:
  TextSource source_;
  std::int64_t blank_ = 0;
  std::string first_blank_;
};

/// Texts of stdin, each answered as it comes.
void answer_stdin(const SearchArguments& arguments, const Answerer& answerer) {
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) return ask(arguments, answerer);
  QuestionSource source("-");
  for (Questions question; source.next(question); question = {}) {
    require_rankable(question, answerer);
    answer(question, 0, 1, true, arguments, answerer);
  }
}

/// Those of the command line, then those of the file.
Questions questions_of(const SearchArguments& arguments) {
  Questions questions;
  for (const std::string& query : arguments.queries) {
    questions.add(query, fmt::format("query {}", questions.size() + 1));
  }
  if (arguments.queries_file.empty()) return questions;
  const std::size_t typed = questions.size();
  for (QuestionSource source(arguments.queries_file); source.next(questions);) continue;
  if (questions.size() == typed) throw UserError(fmt::format("{}: no query found", arguments.queries_file));
  return questions;
}

std::optional<Reranker> load_reranker(const std::filesystem::path& folder, const SearchArguments& arguments) {
  if (folder.empty()) return std::nullopt;
  RerankerOptions options{.token_budget = arguments.encoder.token_budget,
                          .threads = arguments.encoder.threads,
                          .backend = arguments.encoder.backend,
                          .compute = arguments.encoder.compute};
  if (!arguments.text_template.empty()) options.text_template = read_template(arguments.text_template);
  return Reranker::load(folder, options);
}

void run_search(const SearchArguments& arguments) {
  const Questions questions = questions_of(arguments);
  require_readable(arguments.corpus);  // a wrong path is told before the model is loaded
  if (arguments.corpus == "-" && (questions.size() == 0 || arguments.queries_file == "-")) {
    throw UserError("search: corpus and queries cannot both come from stdin; name a file for one of them");
  }
  EncoderOptions options = arguments.encoder;
  const std::filesystem::path model = model_folder(arguments.model, options.adapter);
  const std::filesystem::path language_model =
      arguments.rerank.empty() ? std::filesystem::path() : model_folder(arguments.rerank);
  GivenPaths()
      .reads("--corpus", arguments.corpus)
      .reads("--queries", arguments.queries_file)
      .reads_model("--model", model)
      .reads_model("--adapter", options.adapter)
      .reads_model("--rerank", language_model)
      .reads("--template", template_file(arguments.text_template))
      .writes_resumable("--cache", arguments.cache)
      .check();
  const std::optional<Reranker> reranker = load_reranker(language_model, arguments);
  const Encoder encoder = load_encoder(model, options, this_process_alone(), [&](const Encoder& loaded) {
    return CorpusIndex::recorded_compute_type(loaded, arguments.corpus, arguments.cache);
  });
  tell_similarity(arguments.similarity, folder_similarity(encoder));
  const EncoderTeam team(encoder);
  const CorpusIndex index(team, arguments.corpus, arguments.cache);
  const Answerer answerer{index, reranker ? &*reranker : nullptr};
  if (questions.size() == 0) {
    answer_stdin(arguments, answerer);
  } else {
    require_rankable(questions, answerer);
    answer_all(questions, arguments, answerer);
  }
  team.tell_cut_texts();
}

}  // namespace

void add_search(CLI::App& app) {
  auto* command = app.add_subcommand("search", "Find the documents of a corpus that answer a query best");
  command->footer(
      "Without QUERY and --queries, queries are read from stdin, as from a file; at a terminal you are asked.");
  auto arguments = std::make_shared<SearchArguments>();
  add_model_option(*command, "--model", arguments->model);
  command
      ->add_option(
          names("--corpus"), arguments->corpus,
          "Documents: JSON objects, one a line or in a list, with \"_id\", \"text\" and, where there is one, \"title\"")
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
                   "File of queries: lines of text, or JSON objects with \"text\", one a line or in a list")
      ->type_name("FILE");
  command->add_flag(names("--json"), arguments->json, "Print JSON, an object for each query on a line of its own");
  const char* group = "Ranking what was found anew";
  CLI::Option* rerank = command->add_option(
      names("--rerank"), arguments->rerank,
      "A language model that ranks the best documents anew, by how probable it finds the query after each (see sgpt "
      "rerank): a folder, or ORG/NAME on a model hub; scores are then log-probabilities");
  rerank->type_name("MODEL")->group(group);
  command->add_option(names("--rerank_top_k"), arguments->rerank_top_k, "How many documents it ranks")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->needs(rerank)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  add_template_option(*command, arguments->text_template, group)->needs(rerank);
  add_encoder_options(*command, arguments->encoder);
  add_two_prompt_options(*command, arguments->encoder);
  refuse_one_prompt(*command);
  add_similarity_option(*command, arguments->similarity);
  command->add_option("QUERY", arguments->queries, "What to look for; quote it to keep its words together")
      ->type_name("TEXT");
  command->callback([arguments] { run_search(*arguments); });
}

}  // namespace sgpt::cli
