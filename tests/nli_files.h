// A small AllNLI.tsv and a small stsbenchmark.tsv.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace sgpt::testing {

inline constexpr std::array<const char*, 20> kNames{"Ann",  "Ben",  "Cleo", "Dan",  "Eve",  "Finn", "Gina",
                                                    "Hugo", "Ida",  "Jan",  "Kim",  "Leo",  "Mia",  "Noah",
                                                    "Olga", "Paul", "Quin", "Rosa", "Sven", "Tina"};

/// 20 anchors, one a name: 40 training examples. The columns stand in another order than in the published file.
inline std::string small_nli() {
  std::string table = "label\tsentence2\tsentence1\tsplit\n";
  const auto row = [&](const char* label, const std::string& second, const std::string& first, const char* split) {
    table += std::string(label) + "\t" + second + "\t" + first + "\t" + split + "\n";
  };
  for (const std::string name : kNames) {
    row("neutral", name + " is at home", name + " reads a book", "train");
    row("entailment", name + " holds a thing", name + " reads a book", "train");
    row("entailment", name + " has a \"book\"", name + " reads a book", "train");
    row("contradiction", name + " rests on a stone", name + " reads a book", "train");
    row("contradiction", name + " runs in the rain", name + " reads a book", "train");
    row("contradiction", name + " is another one", name + " is at home", "dev");
  }
  return table;
}

/// 40 pairs each to score during training, and after it.
inline std::string small_sts() {
  std::string table = "split\tscore\tsentence1\tsentence2\n";
  for (const std::string split : {"dev", "test"}) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const std::string name = kNames[i];
      const std::string other = kNames[(i * 7 + (split == "dev" ? 3 : 5)) % kNames.size()];
      table += split + "\t4." + std::to_string(i % 10) + "\t" + name + " reads a book\t" + name + " has a book\n";
      table += split + "\t1." + std::to_string(i % 7) + "\t" + name + " reads a book\t" + other + " runs away\n";
    }
  }
  return table;
}

inline void write_small_nli(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "AllNLI.tsv") << small_nli();
  std::ofstream(folder / "stsbenchmark.tsv") << small_sts();
}

}  // namespace sgpt::testing
