// What a download does when network, server or disk misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "hub/download_errors.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using testing::content_of;
using testing::entries;
using testing::FakeHub;
using ::testing::HasSubstr;
using testing::kWeights;
using testing::sentence_of;
using testing::ServedAnswer;
using testing::ServedRequest;

TEST(BrokenDownload, GivesUpOnARedirectInCirclesOrToAFile) {
  FakeHub hub;
  hub.interfere = [&](const ServedRequest& request) {
    return ServedAnswer{302, "", {{"Location", request.path}}, std::string::npos};
  };
  EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("redirected more than"));
  FakeHub other;
  other.interfere = [&](const ServedRequest&) {
    return ServedAnswer{302, "", {{"Location", "file:///etc/passwd"}}, std::string::npos};
  };
  EXPECT_THAT(sentence_of<MachineError>("org/model", other.options()), HasSubstr("no http or https address"));
}

/// Makes the hub send its weights itself, each time no more than so many bytes.
void break_weights(FakeHub& hub, std::size_t bytes, bool resumable) {
  hub.interfere = [&hub, bytes, resumable](const ServedRequest& request) -> std::optional<ServedAnswer> {
    if (request.method != "GET" || !request.path.ends_with(kWeights)) return std::nullopt;
    auto answer = testing::file_answer(resumable ? request : ServedRequest{}, hub.files.at(kWeights));
    answer.cut_after = bytes;
    return answer;
  };
}

TEST(BrokenDownload, GoesOnWhereAConnectionBroke) {
  FakeHub hub;
  break_weights(hub, 500000, true);  // seven pieces, more than the attempts without progress
  const auto folder = resolve_model("org/model", hub.options());
  EXPECT_EQ(content_of(folder / kWeights), hub.files.at(kWeights));
  EXPECT_EQ(hub.server().count("GET", kWeights), 7u);
}

TEST(BrokenDownload, GoesOnInTheNextRun) {
  FakeHub hub;
  auto options = hub.options();
  options.attempts = 1;
  break_weights(hub, 1000000, true);
  EXPECT_THAT(sentence_of<MachineError>("org/model", options), HasSubstr("the same command goes on"));
  EXPECT_EQ(std::filesystem::file_size(hub.incomplete(kWeights)), 1000000u);
  EXPECT_FALSE(std::filesystem::exists(hub.model_folder() / "refs" / "main"));
  break_weights(hub, std::string::npos, true);
  EXPECT_EQ(content_of(resolve_model("org/model", options) / kWeights), hub.files.at(kWeights));
  EXPECT_EQ(hub.server().requests().back().header("range"), "bytes=1000000-");
}

TEST(BrokenDownload, BeginsAnewWithAServerThatCannotResume) {
  FakeHub hub;
  int asked = 0;
  hub.interfere = [&](const ServedRequest& request) -> std::optional<ServedAnswer> {
    if (request.method != "GET" || !request.path.ends_with(kWeights)) return std::nullopt;
    auto answer = testing::file_answer({}, hub.files.at(kWeights));
    if (++asked == 1) answer.cut_after = 1000;
    return answer;
  };
  EXPECT_EQ(content_of(resolve_model("org/model", hub.options()) / kWeights), hub.files.at(kWeights));
  EXPECT_EQ(asked, 2);
}

TEST(BrokenDownload, GivesUpWhenNothingComesAnyMore) {
  FakeHub hub;
  break_weights(hub, 1000, false);
  EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("tried 3 times"));
}

TEST(BrokenDownload, DeletesWhatHasTheWrongChecksum) {
  for (const char* file : {kWeights, "tokenizer.json"}) {  // SHA-256, and git's SHA-1
    FakeHub hub;
    hub.etags[file] = std::string(std::string_view(file) == kWeights ? 64 : 40, 'a');
    EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()),
                AllOf(HasSubstr(file), HasSubstr("checksum"), HasSubstr("deleted")));
    EXPECT_FALSE(std::filesystem::exists(hub.incomplete(file)));
    EXPECT_FALSE(std::filesystem::exists(hub.blob(file)));
    EXPECT_FALSE(std::filesystem::exists(hub.snapshot() / file));
    EXPECT_FALSE(std::filesystem::exists(hub.model_folder() / "refs" / "main"));
    hub.etags.clear();
    EXPECT_EQ(content_of(resolve_model("org/model", hub.options()) / file), hub.files.at(file));
  }
}

TEST(BrokenDownload, DeletesWhatIsLongerThanAnnounced) {
  FakeHub hub;
  hub.interfere = [&](const ServedRequest& request) -> std::optional<ServedAnswer> {
    if (request.method != "GET" || !request.path.ends_with(kWeights)) return std::nullopt;
    return testing::file_answer(request, hub.files.at(kWeights) + "more");
  };
  EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("more than the 3000003 bytes"));
  EXPECT_FALSE(std::filesystem::exists(hub.incomplete(kWeights)));
}

TEST(BrokenDownload, StartsOverFromALeftoverThatIsTooLong) {
  FakeHub hub;
  std::filesystem::create_directories(hub.incomplete(kWeights).parent_path());
  std::ofstream(hub.incomplete(kWeights)) << hub.files.at(kWeights) << "and more";
  EXPECT_EQ(content_of(resolve_model("org/model", hub.options()) / kWeights), hub.files.at(kWeights));
}

TEST(BrokenDownload, SaysWhatARefusalMeans) {
  FakeHub hub;
  int status = 401;
  std::vector<std::pair<std::string, std::string>> headers;
  hub.interfere = [&](const ServedRequest&) { return ServedAnswer{status, "no", headers, std::string::npos}; };
  auto options = hub.options();
  EXPECT_THAT(sentence_of<UserError>("org/model", options), AllOf(HasSubstr("401"), HasSubstr("set HF_TOKEN")));
  options.token = "secret";
  status = 403;
  const std::string sentence = sentence_of<UserError>("org/model", options);
  EXPECT_THAT(sentence, AllOf(HasSubstr("403"), HasSubstr("the token in HF_TOKEN may not read it")));
  EXPECT_EQ(sentence.find("secret"), std::string::npos);
  headers = {{"X-Error-Code", "GatedRepo"}};
  EXPECT_THAT(sentence_of<UserError>("org/model", options), HasSubstr("terms have to be accepted"));
  EXPECT_EQ(entries(hub.cache()), 0u);
}

TEST(BrokenDownload, NamesAModelOrRevisionThatIsNotThere) {
  FakeHub hub;
  EXPECT_THAT(sentence_of<UserError>("org/none", hub.options()), AllOf(HasSubstr("org/none"), HasSubstr("404")));
  EXPECT_THAT(sentence_of<UserError>("org/model@v9", hub.options()), HasSubstr("no revision v9"));
  EXPECT_EQ(entries(hub.cache()), 0u);
}

TEST(BrokenDownload, TriesAgainWhenTheServerIsBusy) {
  FakeHub hub;
  int asked = 0;
  hub.interfere = [&](const ServedRequest&) -> std::optional<ServedAnswer> {
    if (++asked % 2 == 0) return std::nullopt;
    return ServedAnswer{asked % 3 == 0 ? 429 : 500, "busy", {}, std::string::npos};
  };
  EXPECT_EQ(content_of(resolve_model("org/model", hub.options()) / kWeights), hub.files.at(kWeights));
}

TEST(BrokenDownload, EndsWhenTheServerStaysBusyButAnUpdateTakesTheCache) {
  FakeHub hub;
  resolve_model("org/model", hub.options());
  hub.interfere = [&](const ServedRequest&) { return ServedAnswer{503, "busy", {}, std::string::npos}; };
  auto options = hub.options();
  options.update = true;
  EXPECT_EQ(resolve_model("org/model", options), hub.snapshot());
  EXPECT_THAT(sentence_of<MachineError>("org/other", options), AllOf(HasSubstr("503"), HasSubstr("tried 3 times")));
}

TEST(BrokenDownload, ReportsAHubThatCannotBeReached) {
  FakeHub hub;
  auto options = hub.options();
  {
    const testing::HttpServer gone([](const ServedRequest&) { return ServedAnswer{}; });
    options.endpoint = gone.url();
  }
  EXPECT_THAT(sentence_of<MachineError>("org/model", options), HasSubstr("tried 3 times"));
  options.endpoint = "ftp://127.0.0.1";
  EXPECT_THAT(sentence_of<UserError>("org/model", options), HasSubstr("HF_ENDPOINT"));
}

TEST(BrokenDownload, NoticesAConnectionThatBringsNothing) {
  FakeHub hub;
  hub.interfere = [&](const ServedRequest&) -> std::optional<ServedAnswer> {
    std::this_thread::sleep_for(std::chrono::seconds(3));
    return std::nullopt;
  };
  auto options = hub.options();
  options.attempts = 1;
  options.stall_limit = std::chrono::seconds(1);
  EXPECT_THAT(sentence_of<MachineError>("org/model", options), HasSubstr("Timeout"));
}

TEST(BrokenDownload, RefusesAnswersThatAreNoHubs) {
  FakeHub hub;
  std::string body;
  hub.interfere = [&](const ServedRequest&) { return ServedAnswer{200, body, {}, std::string::npos}; };
  for (const char* text : {"<html>", "", "[]", "{}", R"({"sha": "../..", "siblings": []})", R"({"sha": "abc"})",
                           R"({"sha": "abc", "siblings": [{"name": "config.json"}]})"}) {
    body = text;
    EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("no model hub")) << text;
  }
  body = R"({"sha": "abc", "siblings": []})";
  EXPECT_THAT(sentence_of<UserError>("org/model", hub.options()), HasSubstr("no config.json"));
  EXPECT_EQ(entries(hub.cache()), 0u);
}

TEST(BrokenDownload, RefusesNamesThatLeadOutOfTheCache) {
  for (const char* name : {"../evil", "/etc/evil", "a/../../evil", "a\\\\..\\\\evil", "a//b", "."}) {
    FakeHub hub;
    hub.files[name] = "evil";
    EXPECT_THAT(sentence_of<UserError>("org/model", hub.options()), HasSubstr("leads out of")) << name;
    EXPECT_EQ(entries(hub.cache()), 0u) << name;
  }
  for (const char* etag : {"../../evil", "", "a/b", ".."}) {
    FakeHub hub;
    hub.etags["config.json"] = etag;
    EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("ETag")) << etag;
    EXPECT_FALSE(std::filesystem::exists(hub.cache() / "evil"));
  }
}

TEST(BrokenDownload, RefusesAnIndexThatNamesOtherFiles) {
  for (const char* shard : {"../evil.safetensors", "not-listed.safetensors", "/etc/passwd"}) {
    FakeHub hub;
    hub.files.erase(kWeights);
    hub.files["model.safetensors.index.json"] = std::string(R"({"weight_map": {"a": ")") + shard + R"("}})";
    EXPECT_THAT(sentence_of<UserError>("org/model", hub.options()), HasSubstr(shard));
  }
}

TEST(BrokenDownload, KeepsWhatItHasWhenTheDiskIsFull) {
  FakeHub hub;
  // A limit on the size of files stands in for a disk without room.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string sentence = sentence_of<MachineError>("org/model", hub.options());
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(sentence, HasSubstr("writing failed"));
  EXPECT_EQ(std::filesystem::file_size(hub.incomplete(kWeights)), 1000000u);
  EXPECT_EQ(content_of(resolve_model("org/model", hub.options()) / kWeights), hub.files.at(kWeights));
  EXPECT_EQ(hub.storage().requests().back().header("range"), "bytes=1000000-");
}

TEST(BrokenDownload, SaysBeforehandWhenTheDiskHasNoRoom) {
  FakeHub hub;
  hub.interfere = [&](const ServedRequest& request) -> std::optional<ServedAnswer> {
    if (request.method != "HEAD" || !request.path.ends_with(kWeights)) return std::nullopt;
    return ServedAnswer{200,
                        "",
                        {{"X-Linked-Size", "1000000000000000000"}, {"X-Linked-Etag", std::string(64, 'a')}},
                        std::string::npos};
  };
  EXPECT_THAT(sentence_of<MachineError>("org/model", hub.options()), HasSubstr("make room"));
  EXPECT_EQ(hub.storage().requests().size(), 0u);
}

}  // namespace
}  // namespace sgpt
