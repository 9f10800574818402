// What tells a model from another one that lies where it lay.
#include "encode/model_identity.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// The identity of a tiny model written to `folder`, whose files all get one time, as archives with fixed times unpack.
std::string identity(const fs::path& folder, const testing::TinyModel& model) {
  fs::remove_all(folder);
  testing::write_tiny_model(folder, model);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    fs::last_write_time(entry, fs::file_time_type(std::chrono::seconds(1)));
  }
  return model_identity(Encoder::load(folder));
}

TEST(ModelIdentity, OneNumberOfATensorMakesAnotherModelOfTheSameSizeAndTimes) {
  const testing::TempFolder temp;
  const std::string first = identity(temp / "model", {});
  EXPECT_EQ(identity(temp / "model", {}), first);
  for (const std::string_view changed : {"ln_f.bias", "h.1.mlp.dense_4h_to_h.weight", "word_embeddings.weight"}) {
    testing::TinyModel model;
    model.change = [&](std::string_view name, std::vector<float>& values) {
      if (name == changed) values.back() += 1;
    };
    EXPECT_NE(identity(temp / "model", model), first) << changed;
  }
}

}  // namespace
}  // namespace sgpt
