// The library in twenty lines: how near is a text to a question?   usage: similarity MODEL QUESTION TEXT
#include <exception>
#include <iostream>
#include <numeric>

#include "sgpt/encoder.h"

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: similarity MODEL QUESTION TEXT\n";
    return 2;
  }
  const auto encoder = sgpt::Encoder::load(argv[1], {.normalize = true});
  const std::string question = argv[2];
  const std::string text = argv[3];
  const sgpt::Embeddings q = encoder.encode_queries({&question, 1});
  const sgpt::Embeddings t = encoder.encode_documents({&text, 1});
  std::cout << std::inner_product(q.values.begin(), q.values.end(), t.values.begin(), 0.0) << '\n';
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
