// What the tests of training runs share: a tiny model, a small corpus, and the command line that trains one on the
// other.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cli/small_corpus.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class SmallTraining {
 public:
  SmallTraining() {
    write_tiny_model(folder_ / "model");
    write_small_corpus(folder_ / "data");
  }

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  /// Training of `target`, with `target`.jsonl as its log, and these options more; without the program's name.
  std::vector<std::string> command(const std::string& target, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"train",
                                   "--model_name",
                                   (folder_ / "model").string(),
                                   "--train_data",
                                   (folder_ / "data").string(),
                                   "--model_save_path",
                                   (folder_ / target).string(),
                                   "--log_file",
                                   log(target).string(),
                                   "--freezenonbias",
                                   "--threads",
                                   "1",
                                   "--lr",
                                   "1e-3"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::filesystem::path log(const std::string& target) const { return folder_ / (target + ".jsonl"); }
  std::string weights(const std::string& target) const { return text_of(folder_ / target / "model.safetensors"); }

 private:
  TempFolder folder_;
};

}  // namespace sgpt::testing
