#include "serve/access_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sgpt::serve {
namespace {

HttpHead head() {
  HttpHead head;
  head.method = "POST";
  head.path = "/embed";
  head.headers = {{"authorization", "Bearer secret"},
                  {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
  head.id = "id-1";
  head.peer = "127.0.0.1:5";
  return head;
}

TEST(AccessLog, IsOneLineARequestAsTextOrJson) {
  const HttpResponse response{.notes = {{"inputs", "3"}, {"kind", "document; default"}}};
  EXPECT_EQ(access_line(head(), response, 100, 1.25, false),
            "POST /embed 200 inputs=3 kind=\"document; default\" ms=1.2 bytes=100 peer=127.0.0.1:5 id=id-1 "
            "trace=4bf92f3577b34da6a3ce929d0e0e4736");
  const auto json = nlohmann::json::parse(access_line(head(), response, 100, 1.25, true));
  EXPECT_EQ(json.at("status"), 200);
  EXPECT_EQ(json.at("kind"), "document; default");
  EXPECT_EQ(json.at("trace"), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(AccessLog, AClientsWordsCannotMakeALineOfTheirOwn) {
  HttpHead forged = head();
  forged.path = "/x\n127.0.0.1 POST \xff \x1b[31m";
  const std::string line = access_line(forged, {.status = 404, .label = "NotFound"}, 0, 0, false);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("404 NotFound"), std::string::npos);
  EXPECT_NO_THROW(nlohmann::json::parse(access_line(forged, {}, 0, 0, true)));
}

TEST(AccessLog, KnowsATraceparentWhenItSeesOne) {
  EXPECT_EQ(trace_id("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736"), "");
  EXPECT_EQ(trace_id("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), "");
}

}  // namespace
}  // namespace sgpt::serve
