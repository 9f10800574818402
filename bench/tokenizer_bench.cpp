// Bytes of text a second through the tokenizer, one thread:
//   tokenizer_bench TOKENIZER.json FILE… [--benchmark_…]
// A file is .jsonl (title and text of each line) or plain text (a line is a text).
#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_lines.h"
#include "sgpt/error.h"
#include "sgpt/tokenizer.h"

namespace sgpt::bench {
namespace {

std::vector<std::string> texts_of(const std::filesystem::path& path) {
  std::vector<std::string> texts;
  if (path.extension() == ".jsonl") {
    for (JsonLineReader reader(path); reader.next();) {
      texts.push_back(reader.string("title").value_or("") + " " + reader.string("text").value_or(""));
    }
  } else {
    LineReader reader(path);
    for (std::string_view line; reader.next(line);) texts.emplace_back(line);
  }
  return texts;
}

void encode(::benchmark::State& state, const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::int64_t bytes = 0, tokens = 0;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      tokens += static_cast<std::int64_t>(tokenizer.encode(text).size());
      bytes += static_cast<std::int64_t>(text.size());
    }
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(tokens);
}

int run(int count, char** arguments) {
  ::benchmark::Initialize(&count, arguments);
  if (count < 3) throw UserError("usage: tokenizer_bench TOKENIZER.json FILE… [--benchmark_…]");
  const Tokenizer tokenizer = Tokenizer::load(arguments[1]);
  for (int i = 2; i < count; ++i) {
    const std::filesystem::path path = arguments[i];
    ::benchmark::RegisterBenchmark(path.filename().c_str(), [&tokenizer, texts = texts_of(path)](auto& state) {
      encode(state, tokenizer, texts);
    });
  }
  ::benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace sgpt::bench

int main(int count, char** arguments) try {
  return sgpt::bench::run(count, arguments);
} catch (const sgpt::UserError& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
