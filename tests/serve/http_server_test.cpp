// HTTP: what is answered, refused and closed, with clients that misbehave beside one that does not. Limits of time are
// the tests' own, short ones.
#include "serve/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "http_client.h"
#include "sgpt/error.h"

namespace sgpt::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::HttpClient;
using testing::Reply;

/// /echo gives the body back; /wait keeps the request for the test.
class Handler : public HttpHandler {
 public:
  std::optional<HttpResponse> screen(const HttpHead& head) override {
    if (head.path == "/echo" || head.path == "/wait") return std::nullopt;
    return HttpResponse{.status = 404, .body = "no " + head.path};
  }
  void handle(std::shared_ptr<Exchange> exchange) override {
    if (exchange->request().head.path == "/echo") {
      return exchange->answer(
          {.body = exchange->request().body, .headers = {{"x-method", exchange->request().head.method}}});
    }
    exchange->on_gone([this] { ++gone; });
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(exchange));
    changed_.notify_all();
  }
  HttpResponse failure(const HttpHead&, int status, const std::string& sentence) override {
    return {.status = status, .body = sentence};
  }
  void answered(const HttpHead&, const HttpResponse&, std::size_t) override { ++answers; }

  std::shared_ptr<Exchange> next() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(20), [this] { return !waiting_.empty(); });
    auto exchange = waiting_.front();
    waiting_.erase(waiting_.begin());
    return exchange;
  }

  std::atomic<int> gone = 0, answers = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Exchange>> waiting_;
};

template <class Condition>
bool eventually(Condition&& condition) {
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

RequestLimits short_limits() {
  RequestLimits limits;
  limits.idle = limits.head = limits.body = limits.write = milliseconds(300);
  limits.linger = milliseconds(200);
  return limits;
}

class Served {
 public:
  explicit Served(const RequestLimits& limits = {}) : server({.port = 0, .limits = limits}, handler) { server.start(); }
  Handler handler;
  HttpServer server;
  std::uint16_t port() const { return server.port(); }
  Reply to(std::string_view bytes) {
    HttpClient client(port());
    client.send(bytes);
    return client.reply();
  }
};

TEST(HttpServer, AnswersInOrderOnOneConnectionAlsoWhatWasSentAhead) {
  Served served;
  HttpClient client(served.port());
  EXPECT_EQ(client.post("/echo", "one").body, "one");
  client.send(HttpClient::request("POST", "/echo", "two") + HttpClient::request("POST", "/wait", "three") +
              HttpClient::request("POST", "/echo", "four"));
  EXPECT_EQ(client.reply().body, "two");
  served.handler.next()->answer({.body = "late"});
  EXPECT_EQ(client.reply().body, "late");
  EXPECT_EQ(client.reply().body, "four");
  const std::string big(300000, 'x');
  EXPECT_EQ(client.post("/echo", big).body, big);
}

TEST(HttpServer, MuchThatWasSentAheadWaits) {
  Served served;
  HttpClient client(served.port());
  client.send(HttpClient::request("POST", "/wait", "x") +
              HttpClient::request("POST", "/echo", std::string(200000, 'y')));
  const auto exchange = served.handler.next();
  std::this_thread::sleep_for(milliseconds(50));  // it reads ahead as far as it does
  exchange->answer({.body = "first"});
  EXPECT_EQ(client.reply().body, "first");
  EXPECT_EQ(client.reply().body.size(), 200000U);
}

TEST(HttpServer, UnderstandsChunksExpectationsHeadAndOldClients) {
  Served served;
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(served.to(chunked + "3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n").body, "abcdefgh");
  HttpClient client(served.port());
  client.send("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.reply().status, 100);
  client.send("body");
  EXPECT_EQ(client.reply().body, "body");
  client.send("HEAD /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody");
  const auto head = client.reply(seconds(20), true);
  EXPECT_EQ(head.header("content-length"), "4");
  EXPECT_EQ(client.post("/echo", "again").body, "again");

  HttpClient old(served.port());
  old.send("POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(old.reply().body, "hi");
  EXPECT_TRUE(old.ends());
}

TEST(HttpServer, GivesEveryAnswerAnId) {
  Served served;
  HttpClient client(served.port());
  EXPECT_EQ(client.post("/echo", "x", {{"X-Request-Id", "mine-1"}}).header("x-request-id"), "mine-1");
  const std::string made = client.post("/echo", "x", {{"x-request-id", "not, a sane one"}}).header("x-request-id");
  EXPECT_EQ(made.size(), 24U);
  EXPECT_NE(client.post("/echo", "x").header("x-request-id"), made);
}

TEST(HttpServer, PathsAreDecodedAndThenComparedWhole) {
  Served served;
  EXPECT_EQ(served.to(HttpClient::request("POST", "/%65cho?a=b", "x")).body, "x");
  EXPECT_EQ(served.to(HttpClient::request("POST", "http://some.where/echo", "x")).body, "x");
  for (const char* path : {"//echo", "/../echo", "/echo/", "/echo%00", "/ECHO", "/echo%2f", "/"}) {
    EXPECT_EQ(served.to(HttpClient::request("GET", path)).status, 404) << path;
  }
  for (const char* path : {"/%zz", "/%4", "echo"}) {
    EXPECT_EQ(served.to(HttpClient::request("GET", path)).status, 400) << path;
  }
}

TEST(HttpServer, RefusesWhatItDoesNotUnderstandOrTake) {
  RequestLimits limits;
  limits.payload = 1000;
  limits.linger = milliseconds(100);
  Served served(limits);
  const auto status = [&](std::string_view headers, std::string_view body = {}) {
    return served.to("POST /echo HTTP/1.1\r\nHost: t\r\n" + std::string(headers) + "\r\n" + std::string(body)).status;
  };
  EXPECT_EQ(status("Transfer-Encoding: xchunked\r\n", "abc"), 501);
  EXPECT_EQ(status("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501);
  EXPECT_EQ(status("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), 415);
  EXPECT_EQ(status("Expect: wonders\r\nContent-Length: 1\r\n", "x"), 417);
  EXPECT_EQ(status("Content-Length: 1001\r\n"), 413);  // before a byte of it was sent
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n", "5dc\r\n" + std::string(1500, 'x') + "\r\n0\r\n\r\n"), 413);
  EXPECT_EQ(status("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400);
  EXPECT_EQ(status("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
  EXPECT_EQ(status("Content-Length: +3\r\n", "abc"), 400);
  EXPECT_EQ(status("Content-Length: -3\r\n", "abc"), 400);
  EXPECT_EQ(status("Content-Length: 99999999999999999999999\r\n"), 400);
  EXPECT_EQ(status("Bad Header: 1\r\n"), 400);
  EXPECT_EQ(status("Content-Length : 3\r\n", "abc"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n", "zz\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"), 400);
  EXPECT_EQ(status("X: " + std::string(100000, 'x')), 431);
  EXPECT_EQ(served.to("GET\r\n\r\n").status, 400);
  EXPECT_EQ(served.to(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", 10) + "\r\n\r\n").status, 400);
  EXPECT_EQ(status("Content-Length: 1000\r\n", std::string(1000, 'x')), 200);
}

TEST(HttpServer, AnEndlessHeadIsCutAndTakesNoMemory) {
  Served served(short_limits());
  HttpClient lines(served.port()), line(served.port());
  lines.send("GET /echo HTTP/1.1\r\n");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "A: b\r\n";
  bool cut = false;
  for (int i = 0; i < 400 && !cut; ++i) cut = !lines.send(many);
  EXPECT_TRUE(cut || lines.reply().status == 431);
  line.send("GET /");
  cut = false;
  const std::string part(1 << 20, 'x');
  for (int i = 0; i < 48 && !cut; ++i) cut = !line.send(part);
  EXPECT_TRUE(cut || line.reply().status == 431);
}

TEST(HttpServer, SlowClientsAreCutOffAndOthersNoticeNothing) {
  Served served(short_limits());
  HttpClient silent(served.port()), slow_head(served.port()), slow_body(served.port()), slow_chunks(served.port());
  slow_body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 500\r\n\r\n");
  slow_chunks.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  slow_head.send("POST /echo HTTP/1.1\r\nX: ");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    slow_head.send("x");
    slow_body.send("x");
    slow_chunks.send("1\r\nx\r\n");
    HttpClient good(served.port());
    EXPECT_EQ(good.post("/echo", "quick").body, "quick");
    std::this_thread::sleep_for(milliseconds(30));
  }
  EXPECT_EQ(slow_head.reply().status, 408);
  EXPECT_EQ(slow_body.reply().status, 408);
  EXPECT_EQ(slow_chunks.reply().status, 408);
  for (HttpClient* client : {&silent, &slow_head, &slow_body, &slow_chunks}) EXPECT_TRUE(client->ends());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_TRUE(eventually([&] { return served.server.connections().open == 0; }));
}

TEST(HttpServer, ALargeBodyMayTakeLonger) {
  RequestLimits limits = short_limits();
  limits.body_bytes_a_second = 1000;
  Served served(limits);
  HttpClient client(served.port());
  client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    client.send(std::string(100, 'x'));
    std::this_thread::sleep_for(milliseconds(25));
  }
  EXPECT_EQ(client.reply().status, 200);
}

TEST(HttpServer, AClientThatNeverReadsItsAnswerIsCutOff) {
  RequestLimits limits = short_limits();
  limits.body_bytes_a_second = 1u << 30;
  Served served(limits);
  HttpClient client(served.port());
  client.send(HttpClient::request("POST", "/wait", "x"));
  served.handler.next()->answer({.body = std::string(64u << 20, 'x')});
  EXPECT_TRUE(eventually([&] { return served.server.connections().open == 0; }));
}

TEST(HttpServer, AClientThatGoesWhileItsRequestWaitsIsNoticed) {
  Served served;
  HttpClient client(served.port()), half(served.port());
  client.send(HttpClient::request("POST", "/wait", "x"));
  const auto exchange = served.handler.next();
  client.close();
  EXPECT_TRUE(eventually([&] { return served.handler.gone == 1; }));
  EXPECT_TRUE(exchange->is_gone());
  exchange->answer({.body = "nobody"});
  half.send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  half.shut_down_sending();
  EXPECT_TRUE(half.ends());
  EXPECT_TRUE(eventually([&] { return served.server.connections().open == 0; }));
}

TEST(HttpServer, TheOldestIdleConnectionMakesRoomForANewOne) {
  RequestLimits limits;
  limits.connections = 3;
  Served served(limits);
  HttpClient first(served.port());
  EXPECT_EQ(first.post("/echo", "1").status, 200);
  HttpClient second(served.port());
  EXPECT_EQ(second.post("/echo", "2").status, 200);
  HttpClient busy(served.port());
  busy.send(HttpClient::request("POST", "/wait", "x"));
  const auto exchange = served.handler.next();
  HttpClient third(served.port());
  EXPECT_EQ(third.post("/echo", "3").status, 200);
  EXPECT_TRUE(first.ends());
  EXPECT_EQ(second.post("/echo", "4").status, 200);
  exchange->answer({.body = "done"});
  EXPECT_EQ(busy.reply().body, "done");
}

TEST(HttpServer, TheBodiesOfAllClientsAreLimitedTogether) {
  RequestLimits limits;
  limits.bodies = 1500;
  Served served(limits);
  HttpClient slow(served.port());
  slow.send("POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(900, 'x'));
  HttpClient other(served.port());
  EXPECT_TRUE(eventually([&] {
    HttpClient client(served.port());
    return client.post("/echo", std::string(1000, 'y')).status == 503;
  }));
  slow.send(std::string(100, 'x'));
  EXPECT_EQ(slow.reply().status, 200);
  EXPECT_EQ(other.post("/echo", std::string(1000, 'y')).status, 200);
}

TEST(HttpServer, WhenItStopsIdleConnectionsCloseAndTheOthersWithTheirAnswer) {
  Served served;
  HttpClient idle(served.port()), busy(served.port());
  EXPECT_EQ(idle.post("/echo", "x").status, 200);
  busy.send(HttpClient::request("POST", "/wait", "x"));
  const auto exchange = served.handler.next();
  served.server.stop_accepting();
  EXPECT_TRUE(idle.ends());
  EXPECT_THROW(HttpClient{served.port()}, std::runtime_error);
  exchange->answer({.body = "last"});
  const auto reply = busy.reply();
  EXPECT_EQ(reply.body, "last");
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_TRUE(busy.ends());
}

TEST(HttpServer, SaysWhyItCannotListen) {
  Served served;
  Handler handler;
  const auto message = [&](const HttpOptions& options) -> std::string {
    try {
      const HttpServer second(options, handler);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({.port = served.port()}), HasSubstr("the port is taken by another program"));
  EXPECT_THAT(message({.hostname = "no such host.", .port = 0}), HasSubstr("--hostname no such host."));
}

TEST(HttpServer, ManyConnectionsAtOnce) {
  Served served;
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int c = 0; c < 16; ++c) {
    clients.emplace_back([&, c] {
      HttpClient client(served.port());
      for (int i = 0; i < 100; ++i) {
        const std::string body = std::to_string(c) + "/" + std::to_string(i);
        if (client.post("/echo", body).body == body) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 1600);
  // The server hears of a written answer when its client may have read it already.
  EXPECT_TRUE(eventually([&] { return served.handler.answers == 1600; }));
}

}  // namespace
}  // namespace sgpt::serve
