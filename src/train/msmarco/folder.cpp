#include "train/msmarco/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kPassageRanking = "the MS MARCO passage ranking data (microsoft.github.io/msmarco)";
constexpr std::string_view kSentenceTransformers =
    "the data set sentence-transformers/msmarco-hard-negatives on the Hugging Face hub";

void require(const std::filesystem::path& path, std::string_view holds, std::string_view published,
             std::string_view where) {
  std::error_code none;
  if (std::filesystem::is_regular_file(path, none)) return;
  throw UserError(fmt::format("{} is missing: it should hold {}; it is published as {} in {}", path.string(), holds,
                              published, where));
}

}  // namespace

void require_msmarco_files(const MsMarcoFolder& folder) {
  std::error_code none;
  if (!std::filesystem::is_directory(folder.folder, none)) {
    throw UserError(fmt::format(
        "{} is no folder: expected the MS MARCO files there ({}, {}, {}, {}); name another folder with "
        "--data_path, or other training data with --train_data",
        folder.folder.string(), folder.collection().filename().string(), folder.train_queries().filename().string(),
        folder.hard_negatives().filename().string(), folder.scores().filename().string()));
  }
  require(folder.collection(), "the passages, a line each: number, tab, text", "collection.tsv in collection.tar.gz",
          kPassageRanking);
  require(folder.train_queries(), "the training queries, a line each: number, tab, text",
          "queries.train.tsv in queries.tar.gz", kPassageRanking);
  require(folder.hard_negatives(), "the positives and mined negatives of each query, a JSON line each",
          "msmarco-hard-negatives.jsonl.gz", kSentenceTransformers);
  require(folder.scores(), "a cross-encoder's scores of queries with passages, a pickled {qid: {pid: score}}",
          "cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz", kSentenceTransformers);
}

FileStamp stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw UserError(fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno)));
  }
  return {static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

FileLock::FileLock(const std::filesystem::path& path) {
  try {
    file_ = File::open(path, O_RDONLY);
    file_.lock();
  } catch (const Error&) {  // a file system without locks: two processes make the same files then, each whole
  }
}

}  // namespace sgpt
