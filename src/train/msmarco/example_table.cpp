#include "train/msmarco/example_table.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sgpt {
namespace {

constexpr std::array<char, 8> kMagic{'S', 'G', 'P', 'T', 'E', 'X', 'A', '1'};

/// The file: links, zeros to a multiple of 8, examples, the key, this. (At the end, since the numbers come last.)
struct Footer {
  std::uint64_t links = 0;
  std::uint64_t examples = 0;
  std::uint64_t key_bytes = 0;
  std::array<char, 8> magic = kMagic;
};

std::uint64_t link_bytes(std::uint64_t links) { return (links * sizeof(std::uint32_t) + 7) / 8 * 8; }

}  // namespace

std::optional<ExampleTable> ExampleTable::open(const std::filesystem::path& path, std::string_view key) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return std::nullopt;
  ExampleTable table;
  table.file_ = MappedFile(path);
  const std::string_view bytes = table.file_.text();
  Footer footer;
  if (bytes.size() < sizeof(Footer)) return std::nullopt;
  std::memcpy(&footer, bytes.data() + bytes.size() - sizeof(Footer), sizeof(Footer));
  const std::uint64_t size = bytes.size() - sizeof(Footer);
  if (footer.magic != kMagic || footer.key_bytes != key.size() || footer.links > size / sizeof(std::uint32_t) ||
      footer.examples > size / sizeof(MsMarcoExample) ||
      link_bytes(footer.links) + footer.examples * sizeof(MsMarcoExample) + key.size() != size ||
      bytes.substr(size - key.size(), key.size()) != key) {
    return std::nullopt;
  }
  table.links_ = {reinterpret_cast<const std::uint32_t*>(bytes.data()), static_cast<std::size_t>(footer.links)};
  table.examples_ = {reinterpret_cast<const MsMarcoExample*>(bytes.data() + link_bytes(footer.links)),
                     static_cast<std::size_t>(footer.examples)};
  const bool whole = std::all_of(table.examples_.begin(), table.examples_.end(), [&](const MsMarcoExample& example) {
    return example.first_link <= footer.links && example.positives > 0 &&
           std::uint64_t{example.positives} + example.negatives <= footer.links - example.first_link;
  });
  if (!whole) return std::nullopt;
  return table;
}

void ExampleTableWriter::add(std::uint64_t query, std::span<const std::uint32_t> positives,
                             std::span<const std::uint32_t> negatives) {
  examples_.push_back(
      {query, links_, static_cast<std::uint32_t>(positives.size()), static_cast<std::uint32_t>(negatives.size())});
  file_.write(std::as_bytes(positives));
  file_.write(std::as_bytes(negatives));
  links_ += positives.size() + negatives.size();
}

void ExampleTableWriter::commit() {
  file_.write(std::string(link_bytes(links_) - links_ * sizeof(std::uint32_t), '\0'));
  file_.write(std::as_bytes(std::span(examples_)));
  file_.write(key_);
  const Footer footer{.links = links_, .examples = examples_.size(), .key_bytes = key_.size()};
  file_.write(std::as_bytes(std::span(&footer, 1)));
  file_.commit();
}

}  // namespace sgpt
