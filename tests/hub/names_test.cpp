// Names and folders without a network: what is a folder, what is a hub name, the environment, the cache alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "hub/checksum.h"
#include "hub/fake_hub.h"
#include "hub/http.h"
#include "hub/hub.h"
#include "hub/names.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Sets environment variables, all others of the hub's unset, while it lives.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name :
         {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME", "HF_ENDPOINT", "HF_TOKEN",
          "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PLACE"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      names_.emplace_back(name);
      ::unsetenv(name);
    }
    for (const auto& [name, value] : values) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& name : names_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::string> before_;
};

TEST(HubEnvironment, FindsTheCacheAsHuggingfaceHubDoes) {
  const auto cache_with = [](const std::map<std::string, std::string>& values) {
    const Environment environment(values);
    return hub_options_from_environment().cache;
  };
  EXPECT_EQ(cache_with({{"HOME", "/h"}}), "/h/.cache/huggingface/hub");
  EXPECT_EQ(cache_with({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}), "/x/huggingface/hub");
  EXPECT_EQ(cache_with({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/hf"}}), "/hf/hub");
  EXPECT_EQ(cache_with({{"HF_HOME", "/hf"}, {"HF_HUB_CACHE", "/cache"}}), "/cache");
  EXPECT_EQ(cache_with({{"HOME", "/h"}, {"HF_HOME", "~/hf"}}), "/h/hf/hub");
  EXPECT_EQ(cache_with({{"HOME", "/h"}, {"HF_HUB_CACHE", ""}}), "/h/.cache/huggingface/hub");
  // os.path.expanduser, then os.path.expandvars: what is not set stays as it stands, and nothing is expanded twice.
  EXPECT_EQ(cache_with({{"HOME", "/h"}, {"HF_HOME", "$HOME/hf"}}), "/h/hf/hub");
  EXPECT_EQ(cache_with({{"HOME", "/h"}, {"XDG_CACHE_HOME", "${HOME}x"}}), "/hx/huggingface/hub");
  EXPECT_EQ(cache_with({{"PLACE", "$HOME"}, {"HF_HUB_CACHE", "/a/$PLACE/b"}}), "/a/$HOME/b");
  EXPECT_EQ(cache_with({{"PLACE", "p"}, {"HUGGINGFACE_HUB_CACHE", "/${PLACE}/$PLACES/${no}/$/${}/${x"}}),
            "/p/$PLACES/${no}/$/${}/${x");
  EXPECT_EQ(cache_with({{"HF_HUB_CACHE", "~root/cache"}}), "/root/cache");
  EXPECT_EQ(cache_with({{"HF_HUB_CACHE", "~nobody-of-that-name/cache"}}), "~nobody-of-that-name/cache");
}

TEST(HubEnvironment, FindsTokenEndpointAndOffline) {
  const testing::TempFolder home;
  std::ofstream(home / "token") << "from-file\n";
  {
    const Environment environment({{"HF_HOME", home.path().string()}, {"HF_ENDPOINT", "http://127.0.0.1:1/hub/"}});
    const auto options = hub_options_from_environment();
    EXPECT_EQ(options.token, "from-file");
    EXPECT_EQ(options.endpoint, "http://127.0.0.1:1/hub");
    EXPECT_FALSE(options.offline);
  }
  for (const char* yes : {"1", "true", "Yes", "ON"}) {
    const Environment environment(
        {{"HF_HOME", home.path().string()}, {"HF_TOKEN", " secret "}, {"HF_HUB_OFFLINE", yes}});
    EXPECT_EQ(hub_options_from_environment().token, "secret");
    EXPECT_TRUE(hub_options_from_environment().offline) << yes;
  }
  {
    const Environment environment({{"HF_HOME", home.path().string()}, {"HUGGING_FACE_HUB_TOKEN", "older"}});
    EXPECT_EQ(hub_options_from_environment().token, "older");
    ::setenv("HF_TOKEN", "newer", 1);
    EXPECT_EQ(hub_options_from_environment().token, "newer");
  }
  {
    const Environment environment({{"PLACE", home.path().string()}, {"HF_TOKEN_PATH", "$PLACE/token"}});
    EXPECT_EQ(hub_options_from_environment().token, "from-file");
  }
  const Environment environment({{"HOME", "/h"}, {"HF_HUB_OFFLINE", "0"}});
  EXPECT_FALSE(hub_options_from_environment().offline);
  EXPECT_EQ(hub_options_from_environment().endpoint, "https://huggingface.co");
}

TEST(HubName, IsParsedOrRefused) {
  const HubName plain = parse_hub_name("org/some.model_1-x");
  EXPECT_EQ(plain.id, "org/some.model_1-x");
  EXPECT_EQ(plain.revision, "main");
  EXPECT_EQ(parse_hub_name("model@refs/pr/1").revision, "refs/pr/1");
  EXPECT_EQ(parse_hub_name("model@v1").text(), "model@v1");
  for (const char* wrong : {"", "/", "a/", "/a", "a/b/c", "a--b", "../a", "a/..", ".a", "a.", "-a", "a b", "a/b@",
                            "a@../b", "a@/b", "a@b\\c", "a\nb", "ä"}) {
    EXPECT_THROW(parse_hub_name(wrong), UserError) << wrong;
  }
  EXPECT_THROW(parse_hub_name(std::string(97, 'a')), UserError);
}

TEST(HubName, PathsOfServersMayNotLeaveTheirFolder) {
  for (const char* fine : {"config.json", "1_Pooling/config.json", "..a", "a..", "ö"})
    EXPECT_TRUE(is_safe_path(fine)) << fine;
  for (const char* wrong : {"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb", "a/.."}) {
    EXPECT_FALSE(is_safe_path(wrong)) << wrong;
  }
  EXPECT_EQ(printable("a\x1b[31m\n"), "a?[31m?");
}

TEST(ResolveModel, TakesAFolderAsItIs) {
  const testing::TempFolder folder;
  HubOptions nothing;
  nothing.endpoint = "no address";
  EXPECT_EQ(resolve_model(folder.path().string(), nothing), folder.path());
  std::ofstream(folder / "file") << "x";
  EXPECT_THAT([&] { resolve_model((folder / "file").string(), nothing); },
              ThrowsMessage<UserError>(HasSubstr("is a file")));
  EXPECT_THAT([&] { resolve_model((folder / "none").string(), nothing); },
              ThrowsMessage<UserError>(HasSubstr("there is no such folder")));
}

TEST(ResolveModel, OfflineTakesTheCacheAndSaysWhatIsMissing) {
  testing::FakeHub hub;
  auto options = hub.options();
  options.offline = true;
  options.update = true;
  EXPECT_THAT([&] { resolve_model("org/model", options); },
              ThrowsMessage<UserError>(HasSubstr("HF_HUB_OFFLINE forbids")));
  EXPECT_TRUE(hub.server().requests().empty());
  resolve_model("org/model", hub.options());
  const std::size_t before = hub.server().requests().size();
  EXPECT_EQ(resolve_model("org/model", options), hub.snapshot());
  std::filesystem::remove(hub.snapshot() / "tokenizer.json");
  EXPECT_THAT([&] { resolve_model("org/model", options); },
              ThrowsMessage<UserError>(HasSubstr("no tokenizer.json of it")));
  EXPECT_EQ(hub.server().requests().size(), before);
}

TEST(ResolveModel, ReadsACommitOfTheCacheWithCare) {
  testing::FakeHub hub;
  auto options = hub.options();
  options.offline = true;
  std::filesystem::create_directories(hub.model_folder() / "refs");
  for (const char* commit : {"", "../../..", "/etc", "0000"}) {
    std::ofstream(hub.model_folder() / "refs" / "main") << commit;
    EXPECT_THROW(resolve_model("org/model", options), UserError) << commit;
  }
}

TEST(Checksum, EqualsGitAndSha256) {
  const testing::TempFolder folder;
  std::ofstream(folder / "hello") << "hello\n";
  EXPECT_EQ(file_checksum(folder / "hello", std::string(40, '0')), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(file_checksum(folder / "hello", std::string(64, '0')),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_THROW(file_checksum(folder / "none", std::string(64, '0')), std::exception);
  EXPECT_FALSE(is_checksum("0123-4"));
}

TEST(Http, KnowsWhereATokenMayGo) {
  EXPECT_TRUE(same_origin("https://hub.example/a", "https://HUB.example:443/b"));
  EXPECT_FALSE(same_origin("https://hub.example", "http://hub.example"));
  EXPECT_FALSE(same_origin("https://hub.example", "https://hub.example:8443"));
  EXPECT_FALSE(same_origin("https://hub.example", "https://hub.example.evil.example"));
  EXPECT_FALSE(same_origin("https://hub.example", "https://hub.example@evil.example"));
  EXPECT_EQ(percent_encoded("a b/ö?", false), "a%20b/%C3%B6%3F");
  EXPECT_EQ(percent_encoded("refs/pr/1", true), "refs%2Fpr%2F1");
}

TEST(Http, RefusesATokenThatWouldBreakTheRequest) {
  testing::FakeHub hub;
  auto options = hub.options();
  options.token = "secret\r\nX-Evil: 1";
  EXPECT_THROW(resolve_model("org/model", options), UserError);
  EXPECT_TRUE(hub.server().requests().empty());
}

}  // namespace
}  // namespace sgpt
