// A small data set in the form of the MS MARCO files, written without the code under test.
#pragma once

#include <zlib.h>

#include <bit>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temp_folder.h"

namespace sgpt::testing {

inline std::string gzipped(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  std::string result(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int status = deflate(&stream, Z_FINISH);
  result.resize(result.size() - stream.avail_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::logic_error("gzipped: no room");
  return result;
}

/// qid → pid → score; the order is that of the pickle.
using Scores = std::map<std::int64_t, std::vector<std::pair<std::int64_t, double>>>;

inline std::string pickled(std::int64_t value) {
  std::string result = "J";
  for (int i = 0; i < 4; ++i) result += static_cast<char>(value >> (8 * i) & 0xff);
  return result;
}

inline std::string pickled(double value) {
  std::string result = "G";
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int i = 7; i >= 0; --i) result += static_cast<char>(bits >> (8 * i) & 0xff);
  return result;
}

/// As Python's protocol 4 writes a dict of dicts, without frames.
inline std::string pickled(const Scores& scores) {
  std::string result = "\x80\x04}\x94(";
  for (const auto& [qid, pairs] : scores) {
    result += pickled(qid) + "}\x94";
    if (pairs.empty()) continue;
    result += "(";
    for (const auto& [pid, score] : pairs) result += pickled(pid) + pickled(score);
    result += "u";
  }
  return result + "u.";
}

/// Six passages; query 7: positive 0, query 8: positives 1 and 2. Change what a test is about, then write.
struct MsMarcoFiles {
  std::string collection = "0\tzero\n1\tone\n2\ttwo\n3\tthree\n4\tfour\n5\tfive\n";
  std::string queries = "8\teight\n7\tseven\n";
  std::string hard_negatives =
      "{\"qid\": 7, \"pos\": [0], \"neg\": {\"a\": [1, 2, 3], \"b\": [3, 4]}}\n"
      "{\"qid\": 8, \"pos\": [1, 2], \"neg\": {\"b\": [5], \"a\": [0, 3]}}\n";
  Scores scores = {{7, {{0, 8.0}, {1, 1.0}, {2, 2.0}, {3, 3.0}, {4, 5.0}, {5, 5.5}}},
                   {8, {{5, -1.0}, {0, 4.5}, {1, 9.0}, {2, 7.5}, {3, 6.0}}}};

  void write(const TempFolder& folder) const {
    folder.write("collection.tsv", collection);
    folder.write("queries.train.tsv", queries);
    folder.write("msmarco-hard-negatives.jsonl.gz", gzipped(hard_negatives));
    folder.write("cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz", gzipped(pickled(scores)));
  }
};

}  // namespace sgpt::testing
