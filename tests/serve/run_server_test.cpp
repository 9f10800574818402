// The server as a process: what signals do to it.
#include "serve/run_server.h"

#include <gtest/gtest.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "http_client.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::serve {
namespace {

using sgpt::testing::TempFolder;
using testing::HttpClient;

/// systemd's side of NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(const std::filesystem::path& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { ::close(socket_); }
  std::string next() const {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, 60000) <= 0) return "nothing";
    char text[100];
    const ssize_t count = ::recv(socket_, text, sizeof text, 0);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(0, count))};
  }

 private:
  int socket_;
};

/// A port that was free a moment ago.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

TEST(RunServer, TellsItsStateReloadsAndEndsWhenItIsTold) {
  const TempFolder folder;
  sgpt::testing::write_tiny_model(folder.path() / "model");
  const NotifySocket notified(folder.path() / "notify");
  ServeOptions options{.model = folder.path() / "model", .encoder = {.brackets = true, .threads = 1}};
  options.http.port = free_port();
  options.access_log = false;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("NOTIFY_SOCKET", (folder.path() / "notify").c_str(), 1);
    run_server(options);
    ::_exit(0);
  }
  EXPECT_EQ(notified.next(), "READY=1");
  HttpClient client(options.http.port);
  const std::string body = R"({"inputs": "the thing"})";
  const std::string before = client.post("/embed", body).body;
  EXPECT_FALSE(before.empty());
  sgpt::testing::write_tiny_weights(folder.path() / "new", {.seed = 2});
  std::filesystem::rename(folder.path() / "new", folder.path() / "model" / "model.safetensors");
  ::kill(child, SIGHUP);
  bool changed = false;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!changed && std::chrono::steady_clock::now() < until) {
    const testing::Reply reply = client.post("/embed", body);
    EXPECT_EQ(reply.status, 200);
    changed = reply.body != before;
  }
  EXPECT_TRUE(changed);
  ::kill(child, SIGTERM);
  EXPECT_EQ(notified.next(), "STOPPING=1");
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sgpt::serve
