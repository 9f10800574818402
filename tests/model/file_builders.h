// Weight files made byte by byte, whole or broken, without the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sgpt::testing {

template <class Number>
std::string little_endian(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

inline std::string safetensors_file(std::string header, std::string_view data) {
  return little_endian(static_cast<std::uint64_t>(header.size())) + header + std::string(data);
}

/// A zip archive of stored entries. With `zip64` sizes, offsets and the directory's place stand in the 64-bit fields.
struct ZipFile {
  std::vector<std::pair<std::string, std::string>> entries;  // name, content
  std::uint16_t method = 0;
  bool zip64 = false;

  std::string bytes() const {
    std::string file;
    std::string directory;
    for (const auto& [name, content] : entries) {
      const auto size = static_cast<std::uint32_t>(content.size());
      const auto local = static_cast<std::uint32_t>(file.size());
      const std::string lengths = zip64 ? std::string(8, '\xff') : little_endian(size) + little_endian(size);
      std::string extra;
      if (zip64) {
        extra = little_endian<std::uint16_t>(1) + little_endian<std::uint16_t>(24) +
                little_endian<std::uint64_t>(size) + little_endian<std::uint64_t>(size) +
                little_endian<std::uint64_t>(local);
      }
      const std::string common = little_endian<std::uint16_t>(20) + little_endian<std::uint16_t>(0) +
                                 little_endian(method) + std::string(8, '\0') + lengths +
                                 little_endian(static_cast<std::uint16_t>(name.size()));
      file += std::string("PK\3\4") + common + little_endian<std::uint16_t>(0) + name + content;
      directory += std::string("PK\1\2") + little_endian<std::uint16_t>(20) + common +
                   little_endian(static_cast<std::uint16_t>(extra.size())) + std::string(10, '\0') +
                   (zip64 ? std::string(4, '\xff') : little_endian(local)) + name + extra;
    }
    return file + directory + end_records(file.size(), directory.size());
  }

 private:
  std::string end_records(std::uint64_t directory_at, std::uint64_t directory_size) const {
    std::string records;
    const std::uint64_t count = entries.size();
    if (zip64) {
      records += std::string("PK\6\6") + little_endian<std::uint64_t>(44) + std::string(12, '\0') +
                 little_endian(count) + little_endian(count) + little_endian(directory_size) +
                 little_endian(directory_at);
      records += std::string("PK\6\7") + std::string(4, '\0') + little_endian(directory_at + directory_size) +
                 little_endian<std::uint32_t>(1);
    }
    const auto narrow = [&](auto value) { return zip64 ? std::string(sizeof value, '\xff') : little_endian(value); };
    return records + std::string("PK\5\6") + std::string(4, '\0') + narrow(static_cast<std::uint16_t>(count)) +
           narrow(static_cast<std::uint16_t>(count)) + narrow(static_cast<std::uint32_t>(directory_size)) +
           narrow(static_cast<std::uint32_t>(directory_at)) + std::string(2, '\0');
  }
};

/// Pieces of pickles of protocol 2.
namespace pickled {

inline std::string text(std::string_view value) {
  return "X" + little_endian(static_cast<std::uint32_t>(value.size())) + std::string(value);
}
inline std::string integer(std::int32_t value) { return "J" + little_endian(value); }
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string result = "(";
  for (const std::string& item : items) result += item;
  return result + "t";
}
inline std::string call(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }
inline std::string file(const std::string& content) { return "\x80\x02" + content + "."; }

inline std::string shape(const std::vector<std::int32_t>& sizes) {
  std::vector<std::string> items;
  for (const std::int32_t size : sizes) items.push_back(integer(size));
  return tuple(items);
}

inline std::string storage(std::string_view type, std::string_view key, std::int32_t elements) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
}

/// A tensor as torch.save writes it.
struct Tensor {
  std::string type = "FloatStorage";
  std::string key = "0";
  std::int32_t elements = 6;  // of the storage
  std::int32_t offset = 0;
  std::vector<std::int32_t> sizes{2, 3};
  std::vector<std::int32_t> strides{3, 1};

  std::string pickle() const {
    return call(global("torch._utils", "_rebuild_tensor_v2"),
                {storage(type, key, elements), integer(offset), shape(sizes), shape(strides), "\x89", ordered_dict()});
  }
};

inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string result = "}(";
  for (const auto& [key, value] : items) result += text(key) + value;
  return result + "u";
}

}  // namespace pickled

/// The archive that torch.save makes of a pickle and its storages ("0", "1", …).
inline ZipFile torch_zip(const std::string& pickle, const std::vector<std::string>& storages) {
  ZipFile zip;
  zip.entries = {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (std::size_t i = 0; i < storages.size(); ++i) {
    zip.entries.emplace_back("archive/data/" + std::to_string(i), storages[i]);
  }
  zip.entries.emplace_back("archive/version", "3\n");
  return zip;
}

}  // namespace sgpt::testing
