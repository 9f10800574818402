// Whole weight files, configurations and pickles with random damage: whatever comes, the answer is a value or a
// UserError.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "file_builders.h"
#include "model/checkpoint.h"
#include "model/model_folder.h"
#include "model/pickle.h"
#include "model/safetensors.h"
#include "model/torch_archive.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using testing::as_bytes;
namespace pickled = testing::pickled;

/// Damage of the kinds that files suffer, and some that only malice makes.
class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string operator()(std::string file) {
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change(file);
    return file;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void change(std::string& file) {
    static constexpr std::string_view kTelling[] = {
        "-1", "9223372036854775808", "18446744073709551615", "1e30", "null", "[", "{", "\"", "0", "\x80"};
    const std::size_t at = below(file.size());
    switch (below(7)) {
      case 0: return file.resize(at);
      case 1: file.insert(at, kTelling[below(std::size(kTelling))]); return;
      case 2: file.erase(at, 1 + below(8)); return;
      case 3: file.insert(at, file.substr(below(file.size()), below(40))); return;
      default: break;
    }
    if (file.empty()) return;
    if (below(2) == 0) {
      file[at] = static_cast<char>(random_());
    } else {
      file.replace(at, 8, std::string(8, below(2) == 0 ? '\xff' : '\0'));
    }
  }

  std::mt19937 random_;
};

/// Runs `read` on damaged copies of a file. Returns how many were still accepted.
int survivors(const std::string& file, int rounds, const std::function<void(const std::string&)>& read) {
  Mutator mutate(20240229);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string damaged = mutate(file);
    try {
      read(damaged);
      ++accepted;
    } catch (const UserError& error) {
      EXPECT_NE(std::string_view(error.what()), "");
    }  // anything else fails the test
  }
  return accepted;
}

TEST(Mutations, OfSafetensors) {
  std::string header = "{";
  for (int i = 0; i < 8; ++i) {
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"F32","shape":[2,3],"data_offsets":[)" +
              std::to_string(24 * i) + "," + std::to_string(24 * i + 24) + "]}";
  }
  const std::string file = testing::safetensors_file(header + "}", std::string(192, 'x'));
  const int accepted = survivors(file, 20'000, [](const std::string& damaged) {
    std::size_t sum = 0;
    for (const auto& tensor : read_safetensors(as_bytes(damaged), "w")) {
      for (const std::byte byte : tensor.bytes) sum += static_cast<std::size_t>(byte);  // under ASan: all must be ours
    }
    ASSERT_LE(sum, damaged.size() * 255);
  });
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 10'000);
}

TEST(Mutations, OfTorchArchives) {
  pickled::Tensor second{"HalfStorage", "1", 4, 1, {3}, {1}};
  const std::string pickle =
      pickled::file(pickled::dict({{"transformer.a", pickled::Tensor{}.pickle()}, {"transformer.b", second.pickle()}}));
  for (const bool zip64 : {false, true}) {
    testing::ZipFile zip = testing::torch_zip(pickle, {std::string(24, 'x'), std::string(8, 'y')});
    zip.zip64 = zip64;
    survivors(zip.bytes(), 20'000, [](const std::string& damaged) {
      std::size_t sum = 0;
      for (const auto& tensor : read_torch_archive(as_bytes(damaged), "w")) {
        for (const std::byte byte : tensor.bytes) sum += static_cast<std::size_t>(byte);
      }
      ASSERT_LE(sum, damaged.size() * 255 * 2);
    });
  }
}

TEST(Mutations, OfPickles) {
  const std::string pickle = pickled::file(pickled::dict(
      {{"a", pickled::tuple({pickled::integer(1), pickled::text("x")})}, {"b", "](NNe"}, {"c", "}(NNu"}}));
  survivors(pickle, 40'000, [](const std::string& damaged) {
    PickleReader nothing;
    PickleMachine machine(pickle_source(as_bytes(damaged)), nothing, "p", 1 << 16);
    EXPECT_NE(shown(machine.run()), "");
  });
}

TEST(Mutations, OfModelFolders) {
  const testing::TempFolder temp;
  const auto folder = testing::write_tiny_model(temp / "model");
  for (const char* name : {"modules.json", "config.json", "1_Pooling/config.json", "sentence_bert_config.json",
                           "config_sentence_transformers.json"}) {
    const MappedFile mapped(folder / name);
    const std::string whole(mapped.text());
    survivors(whole, 1'000, [&](const std::string& damaged) {
      std::filesystem::remove(folder / name);
      testing::tiny::write(folder / name, damaged);
      EXPECT_GE(read_model_folder(folder).max_seq_length, 1);
    });
    std::filesystem::remove(folder / name);
    testing::tiny::write(folder / name, whole);
  }
}

}  // namespace
}  // namespace sgpt
