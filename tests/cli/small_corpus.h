// A corpus that a tiny model learns in seconds: documents about one of many things each, and a question for each.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace sgpt::testing {

/// Makes a BEIR folder with `things` documents: every one in the corpus, every second one's question in
/// qrels/train.tsv, the others' in qrels/test.tsv.
inline void write_small_corpus(const std::filesystem::path& folder, int things = 60) {
  static constexpr const char* kKinds[] = {"lamp", "river", "violin", "bread", "engine", "garden"};
  static constexpr const char* kColours[] = {"red",   "green", "golden", "black", "silver",
                                             "white", "amber", "violet", "brown", "grey"};
  std::filesystem::create_directories(folder / "qrels");
  std::ofstream corpus(folder / "corpus.jsonl");
  std::ofstream queries(folder / "queries.jsonl");
  std::ofstream train(folder / "qrels" / "train.tsv");
  std::ofstream test(folder / "qrels" / "test.tsv");
  train << "query-id\tcorpus-id\tscore\n";
  test << "query-id\tcorpus-id\tscore\n";
  for (int i = 0; i < things; ++i) {
    const std::string kind = kKinds[i % 6];
    const std::string colour = kColours[i / 6 % 10];
    const std::string number = std::to_string(i);
    corpus << R"({"_id": "d)" << number << R"(", "title": "", "text": "The )" << colour << " " << kind << " is number "
           << number << R"( of all things here."})" << '\n';
    queries << R"({"_id": "q)" << number << R"(", "text": "where is the )" << colour << " " << kind << R"("})" << '\n';
    (i % 2 ? test : train) << "q" << number << "\td" << number << "\t1\n";
  }
}

}  // namespace sgpt::testing
