// One text, one rule: however forty documents are handed over, and whoever reads them (encode, search, eval, training,
// the library), they are the same ids and the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <thread>

#include "base/json_lines.h"
#include "base/json_string.h"
#include "base/unicode.h"
#include "encode/encode_file.h"
#include "encode/encoder_parts.h"
#include "encode/npy.h"
#include "msmarco_files.h"
#include "retrieval/beir_evaluation.h"
#include "retrieval/corpus_index.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"
#include "train/data.h"
#include "train/msmarco/msmarco_data.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using testing::gzipped;

constexpr int kDocuments = 40;
constexpr const char* kMark = "\xef\xbb\xbf";

struct Text {
  std::string id;
  std::string title;
  std::string text;
};

/// Line ends within, white space around, titles and none, and some that are longer than the model looks at.
std::vector<Text> forty_texts() {
  std::vector<Text> texts;
  for (int i = 0; i < kDocuments; ++i) {
    std::string text = "the thing number " + std::to_string(i * i);
    if (i % 5 == 1) text.insert(text.find(' '), "\nand");
    if (i % 5 == 2) text = " \n" + text + "\n";
    if (i % 5 == 3) text += " naïve — 東京 🚀 \\\"quoted\\\"";
    if (i == 30) text = std::string(1000, 'x');
    texts.push_back({"d" + std::to_string(i), i % 3 == 0 ? "A title\nof two lines" : "", text});
  }
  return texts;
}

std::string object_of(const Text& text) {
  return "{\"_id\": " + json_quoted(text.id) + ", \"title\": " + json_quoted(text.title) +
         ", \"text\": " + json_quoted(text.text) + "}";
}

std::string json_lines(const char* line_end = "\n") {
  std::string result;
  for (const Text& text : forty_texts()) result += object_of(text) + line_end;
  return result;
}

std::string json_list(const char* space) {
  std::string result = std::string(space) + "[";
  const char* comma = "";
  for (const Text& text : forty_texts()) {
    result += comma + std::string(space) + object_of(text);
    comma = ",";
  }
  return result + space + "]" + space;
}

struct Way {
  const char* name;
  const char* file;
  std::string bytes;
};

std::vector<Way> ways() {
  return {{"plain", "c.jsonl", json_lines()},
          {"without a name", "c", json_lines()},
          {"packed", "c.jsonl.gz", gzipped(json_lines())},
          {"packed under a plain name", "c.jsonl", gzipped(json_lines())},
          {"in two gzip members", "c.gz", gzipped(json_lines().substr(0, 999)) + gzipped(json_lines().substr(999))},
          {"marked", "c.txt", kMark + json_lines()},
          {"marked and packed", "c.gz", gzipped(kMark + json_lines())},
          {"CRLF", "c.jsonl", json_lines("\r\n")},
          {"blank lines", "c", "\n \r\n\t\n" + json_lines("\n\n")},
          {"marked in the middle", "c.jsonl",
           object_of(forty_texts()[0]) + "\n" + kMark + json_lines().substr(object_of(forty_texts()[0]).size() + 1)},
          {"a list", "c.json", json_list("")},
          {"a list over many lines", "c", json_list("\r\n  ")},
          {"a list, marked and packed", "c.json.gz", gzipped(kMark + json_list("\n"))}};
}

/// Bytes that come from a pipe, under a path, as from <(…).
class Pipe {
 public:
  explicit Pipe(std::string bytes) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    read_end_ = ends[0];
    writer_ = std::thread([bytes = std::move(bytes), end = ends[1]] {
      for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count = ::write(end, bytes.data() + done, bytes.size() - done);
        if (count <= 0) break;
        done += static_cast<std::size_t>(count);
      }
      ::close(end);
    });
  }
  ~Pipe() {
    writer_.join();
    ::close(read_end_);
  }
  fs::path path() const { return "/dev/fd/" + std::to_string(read_end_); }

 private:
  int read_end_;
  std::thread writer_;
};

class OneText : public ::testing::Test {
 protected:
  OneText()
      : model_(testing::write_tiny_model(folder_ / "model")), encoder_(Encoder::load(model_, {.brackets = true})) {
    for (const Text& text : forty_texts()) {
      texts_.push_back(text.title.empty() ? text.text : text.title + " " + text.text);
    }
    embeddings_ = encoder_.encode_documents(texts_);
  }

  std::vector<float> encoded(const fs::path& input) const {
    const fs::path output = folder_ / "out.npy";
    encode_file(encoder_, {.input = input, .output = output});
    std::ifstream in(output, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::string header = npy_header(kDocuments, encoder_.dimension());
    EXPECT_EQ(bytes.substr(0, header.size()), header);
    std::vector<float> values((bytes.size() - header.size()) / sizeof(float));
    std::memcpy(values.data(), bytes.data() + header.size(), bytes.size() - header.size());
    return values;
  }

  /// All hits of some queries, scores included: any other bit in a document would show.
  std::vector<std::vector<Hit>> searched(const fs::path& corpus) const {
    const fs::path cache = folder_ / "cache.sgpt-cache";
    fs::remove(cache);
    const CorpusIndex index(encoder_, corpus, cache);
    auto hits = index.search(std::span(texts_).first(8), kDocuments);
    for (std::int64_t row = 0; row < index.documents(); ++row) {
      const Document document = index.document(row);
      const Text expected = forty_texts()[static_cast<std::size_t>(row)];
      EXPECT_EQ(document.id, expected.id);
      EXPECT_EQ(document.title, expected.title);
      EXPECT_EQ(document.text, expected.text);
    }
    return hits;
  }

  /// What the search must give, computed from the library's embeddings.
  std::vector<std::vector<Hit>> expected_hits() const {
    ExactSearch search(encoder_.encode_queries(std::span(texts_).first(8)),
                       {.top_k = kDocuments, .similarity = Similarity::cosine});
    search.add(embeddings_.values);
    return search.hits();
  }

  std::vector<TokenIds> expected_ids(TextKind kind) const {
    std::vector<TokenIds> ids;
    for (const std::string& text : texts_) ids.push_back(encoder_.tokenize(text, kind));
    return ids;
  }

  static std::vector<TokenIds> ids_of(const TokenBatch& column) {
    std::vector<TokenIds> ids;
    for (std::size_t i = 0; i + 1 < column.offsets.size(); ++i) {
      ids.emplace_back(column.ids.begin() + column.offsets[i], column.ids.begin() + column.offsets[i + 1]);
    }
    return ids;
  }

  static TrainingBatch all(const TrainingSet& data) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(data.size()));
    std::iota(numbers.begin(), numbers.end(), 0);
    return data.batch(numbers, 0);
  }

  testing::TempFolder folder_;
  fs::path model_;
  Encoder encoder_;
  std::vector<std::string> texts_;
  Embeddings embeddings_;
};

TEST_F(OneText, EncodeAndSearchAgreeWithTheLibraryHoweverAFileIsWritten) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(encoded(folder_.write(way.file, way.bytes)), embeddings_.values);
    EXPECT_EQ(searched(folder_.write(way.file, way.bytes)), expected_hits());
    fs::remove(folder_ / way.file);
  }
}

TEST_F(OneText, APipeIsReadAsAFileIs) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(encoded(Pipe(way.bytes).path()), embeddings_.values);
    EXPECT_EQ(searched(Pipe(way.bytes).path()), expected_hits());
  }
}

TEST_F(OneText, ACorpusFromAPipeNeedsACacheByName) {
  const Pipe pipe(json_lines());
  EXPECT_THROW(CorpusIndex(encoder_, pipe.path()), UserError);
  std::ifstream(pipe.path()).ignore(1 << 20);
}

TEST_F(OneText, EvaluationWritesTheSameRun) {
  std::optional<std::string> expected;
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const fs::path data = folder_ / "data";
    fs::create_directories(data / "qrels");
    const bool named_packed = fs::path(way.file).extension() == ".gz";
    folder_.write(named_packed ? "data/corpus.jsonl.gz" : "data/corpus.jsonl", way.bytes);
    folder_.write("data/queries.jsonl", kMark + std::string("[{\"_id\": \"q\", \"text\": \"the\\nthing\"}]"));
    folder_.write("data/qrels/test.tsv.gz", gzipped(kMark + std::string("q\td9\t1\r\n")));
    for (const bool cached : {false, true}) {
      BeirOptions options{.run_file = folder_ / "run.trec"};
      if (cached) options.cache = fs::path();
      evaluate_data_set(encoder_, {"data", {data}}, options);
      std::ifstream in(options.run_file, std::ios::binary);
      const std::string run{std::istreambuf_iterator<char>(in), {}};
      EXPECT_EQ(run, expected.emplace(expected.value_or(run)));
    }
    fs::remove_all(data);
  }
  EXPECT_EQ(std::count(expected->begin(), expected->end(), '\n'), kDocuments);
}

TEST_F(OneText, TrainingSeesTheIdsThatTheEncoderSees) {
  const TextPreparation& preparation = encoder_.parts().preparation;
  std::string triples;
  std::string queries;
  std::string qrels = "query-id\tcorpus-id\tscore\n";
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const std::string quoted = json_quoted(texts_[i]);
    triples += "{\"query\": " + quoted + ", \"positive\": " + quoted + ", \"negative\": [" + quoted + "]}\n";
    queries += "{\"_id\": \"q" + std::to_string(i) + "\", \"text\": " + quoted + "}\n";
    qrels += "q" + std::to_string(i) + "\td" + std::to_string(i) + "\t1\n";
  }
  const auto check = [&](const TrainingBatch& batch, std::size_t columns) {
    ASSERT_EQ(batch.columns.size(), columns);
    EXPECT_EQ(ids_of(batch.columns[0]), expected_ids(TextKind::query));
    for (std::size_t column = 1; column < columns; ++column) {
      EXPECT_EQ(ids_of(batch.columns[column]), expected_ids(TextKind::document));
    }
  };
  check(all(TrainingData::read(folder_.write("t.jsonl", triples), preparation, {})), 3);
  check(all(TrainingData::read(folder_.write("t.gz", gzipped(kMark + triples)), preparation, {})), 3);
  check(all(TrainingData::read(Pipe(triples).path(), preparation, {})), 3);

  fs::create_directories(folder_ / "beir/qrels");
  folder_.write("beir/queries.jsonl.gz", gzipped(queries));
  folder_.write("beir/qrels/train.tsv", qrels);
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    folder_.write("beir/corpus.jsonl", way.bytes);
    check(all(TrainingData::read(folder_ / "beir", preparation, {})), 2);
  }
}

TEST_F(OneText, AModelsPromptsStandBeforeTheTextWhoeverReadsIt) {
  testing::tiny::write(model_ / "config_sentence_transformers.json",
                       R"({"prompts":{"query":"on\n","document":"the "}})");
  const Encoder encoder = Encoder::load(model_);
  std::vector<std::string> with_prompt;
  for (std::string text : texts_) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    with_prompt.push_back("the " + std::string(strip(text)));
  }
  const Encoder bare = Encoder::load(model_, {.query_prompt = {.text = ""}, .document_prompt = {.text = ""}});
  const std::vector<float> expected = bare.encode_documents(with_prompt).values;
  EXPECT_EQ(encoder.encode_documents(texts_).values, expected);

  const fs::path corpus = folder_.write("c.jsonl", json_lines());
  encode_file(encoder, {.input = corpus, .output = folder_ / "out.npy"});
  std::ifstream in(folder_ / "out.npy", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string header = npy_header(kDocuments, encoder.dimension());
  ASSERT_EQ(bytes.size(), header.size() + expected.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(bytes.data() + header.size(), expected.data(), expected.size() * sizeof(float)), 0);

  const CorpusIndex index(encoder, corpus);
  const auto hits = index.search(std::span(texts_).first(1), 5);
  EXPECT_EQ(hits, exact_search(encoder.encode_queries(std::span(texts_).first(1)),
                               {kDocuments, encoder.dimension(), expected}, {.top_k = 5}));

  std::string triples;
  for (const std::string& text : texts_) {
    const std::string quoted = json_quoted(text);
    triples += "{\"query\": " + quoted + ", \"positive\": " + quoted + "}\n";
  }
  const TrainingBatch batch =
      all(TrainingData::read(folder_.write("t.jsonl", triples), encoder.parts().preparation, {}));
  for (const TextKind kind : {TextKind::query, TextKind::document}) {
    EXPECT_EQ(ids_of(batch.columns[kind == TextKind::query ? 0 : 1]), encoder.parts().preparation.ids(texts_, kind));
  }
}

TEST_F(OneText, MsMarcosFilesMayBePackedMarkedAndWithOtherLineEnds) {
  const TextPreparation& preparation = encoder_.parts().preparation;
  const testing::MsMarcoFiles files;
  const auto batch_of = [&](const char* name, const std::function<void(const testing::TempFolder&)>& change) {
    SCOPED_TRACE(name);
    const testing::TempFolder folder;
    files.write(folder);
    change(folder);
    MsMarcoData::Options options;
    options.selection.folder = folder.path();
    const TrainingBatch batch = all(MsMarcoData(preparation, options));
    std::vector<std::vector<TokenIds>> columns;
    for (const TokenBatch& column : batch.columns) columns.push_back(ids_of(column));
    return columns;
  };
  const auto crlf = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, "\r");
    return text;
  };
  const auto expected = batch_of("plain", [](const auto&) {});
  EXPECT_EQ(expected.size(), 3u);
  EXPECT_EQ(expected[0].size(), 2u);
  EXPECT_EQ(batch_of("packed",
                     [&](const testing::TempFolder& folder) {
                       folder.write("collection.tsv", gzipped(files.collection));
                       fs::remove(folder / "queries.train.tsv");
                       folder.write("queries.train.tsv.gz", gzipped(kMark + files.queries));
                     }),
            expected);
  EXPECT_EQ(batch_of("marked, CRLF, unpacked",
                     [&](const testing::TempFolder& folder) {
                       folder.write("collection.tsv", kMark + crlf(files.collection));
                       folder.write("queries.train.tsv", kMark + crlf(files.queries));
                       fs::remove(folder / "msmarco-hard-negatives.jsonl.gz");
                       folder.write("msmarco-hard-negatives.jsonl", kMark + crlf(files.hard_negatives));
                     }),
            expected);
}

TEST_F(OneText, CutTextsAreCounted) {
  EXPECT_EQ(embeddings_.cut, (std::vector<std::size_t>{3, 18, 30, 33}));
  const fs::path input = folder_.write("c.jsonl", "\n" + json_lines());
  ::testing::internal::CaptureStderr();
  with_team(encoder_, this_process_alone(),
            [&](const EncoderTeam& team) { encode_file(team, {.input = input, .output = folder_ / "out.npy"}); });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("4 of 40 texts were cut at 64 tokens, the first " + input.string() + ":5\n"));
}

}  // namespace
}  // namespace sgpt
