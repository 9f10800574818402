// The cache is shared with Python's huggingface_hub, both ways. Skipped where that is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

/// What a Python program prints; nothing when it fails.
std::string python(const std::string& program, const std::string& environment) {
  const testing::TempFolder folder;
  std::ofstream(folder / "program.py") << program;
  const std::string command = fmt::format("{} python3 {} ", environment, (folder / "program.py").string());
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return {};
  std::string out;
  char block[4096];
  while (const std::size_t got = std::fread(block, 1, sizeof(block), pipe)) out.append(block, got);
  return ::pclose(pipe) == 0 ? out : "";
}

class HuggingfaceHub : public ::testing::Test {
 protected:
  void SetUp() override {
    if (python("import huggingface_hub\nprint('there')", "").empty()) {
      GTEST_SKIP() << "Python's huggingface_hub is not installed here";
    }
  }
  testing::FakeHub hub_;
};

TEST_F(HuggingfaceHub, FindsWhatWeDownloaded) {
  const auto folder = resolve_model("org/model", hub_.options());
  const std::string out = python(
      "from huggingface_hub import snapshot_download, scan_cache_dir\n"
      "print(snapshot_download('org/model', local_files_only=True))\n"
      "info = scan_cache_dir()\n"
      "repo, = info.repos\n"
      "print(repo.repo_id, repo.nb_files, len(info.warnings))\n",
      fmt::format("HF_HUB_OFFLINE=1 HF_HUB_CACHE={}", hub_.cache().string()));
  EXPECT_EQ(out, fmt::format("{}\norg/model 7 0\n", folder.string()));
}

TEST_F(HuggingfaceHub, LeavesWhatWeFind) {
  const std::string out = python(
      "from huggingface_hub import hf_hub_download\n"
      "for name in ['config.json', 'tokenizer.json', 'modules.json', '1_Pooling/config.json', 'model.safetensors']:\n"
      "    path = hf_hub_download('org/model', name)\n"
      "print(path)\n",
      fmt::format("HF_HUB_DISABLE_XET=1 HF_ENDPOINT={} HF_HUB_CACHE={}", hub_.server().url(), hub_.cache().string()));
  EXPECT_EQ(out, fmt::format("{}/model.safetensors\n", hub_.snapshot().string()));
  EXPECT_EQ(resolve_model("org/model", hub_.options()), hub_.snapshot());  // asks once what else there is
  const std::size_t before = hub_.server().requests().size();
  EXPECT_EQ(resolve_model("org/model", hub_.options()), hub_.snapshot());
  EXPECT_EQ(hub_.server().requests().size(), before);
}

}  // namespace
}  // namespace sgpt
