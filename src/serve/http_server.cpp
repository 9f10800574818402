#include "serve/http_server.h"

#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "serve/connection.h"
#include "sgpt/error.h"

namespace sgpt::serve {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

std::string why(const boost::system::error_code& error, const HttpOptions& options) {
  if (error == asio::error::address_in_use) {
    return "the port is taken by another program: stop it (ss -ltnp names it), or choose another (--port)";
  }
  if (error == asio::error::access_denied) {
    return fmt::format("ports below 1024 are root's: choose another (--port), found {}", options.port);
  }
  return error.message();
}

tcp::endpoint resolve(asio::io_context& io, const HttpOptions& options) {
  boost::system::error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.hostname, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    throw UserError(fmt::format("--hostname {}: no address of that name: {}", options.hostname, error.message()));
  }
  return found.begin()->endpoint();
}

}  // namespace

struct HttpServer::Parts {
  Parts(const HttpOptions& options, HttpHandler& handler)
      : shared{handler, options.limits, io}, acceptor(io), retry(io) {
    const tcp::endpoint endpoint = resolve(io, options);
    boost::system::error_code error;
    const auto step = [&](auto&& action) {
      if (!error) action();
    };
    step([&] { acceptor.open(endpoint.protocol(), error); });
    step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
    step([&] { acceptor.bind(endpoint, error); });
    step([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
    if (error) {
      throw UserError(fmt::format("cannot listen on {}:{}: {}", options.hostname, options.port, why(error, options)));
    }
    port = acceptor.local_endpoint().port();
  }

  void start() {
    accept();
    thread = std::thread([this] { run(); });
  }

  ~Parts() {
    guard.reset();
    io.stop();
    if (thread.joinable()) thread.join();
    close_all();  // what the connections still hold goes with the context, on this thread
  }

  void run() {
    while (true) {
      try {
        io.run();
        return;
      } catch (const std::exception& error) {  // of one handler; the others go on
        log::warning(fmt::format("serve: {}", error.what()));
      }
    }
  }

  void accept() {
    acceptor.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (shared.stopping) return;
      if (error == asio::error::no_descriptors || error == asio::error::no_memory ||
          error == boost::system::errc::too_many_files_open_in_system) {
        close_oldest_idle();
        retry.expires_after(std::chrono::milliseconds(50));
        retry.async_wait([this](boost::system::error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      if (!error) {
        if (shared.all.size() >= shared.limits.connections) close_oldest_idle();
        if (shared.all.size() < shared.limits.connections) {
          std::make_shared<Connection>(std::move(socket), shared)->start();
        }
      }
      accept();
    });
  }

  void close_oldest_idle() {
    if (shared.idle.empty()) return;
    // Its last reader lets go of it a moment later; the place counts as free at once.
    Connection* oldest = shared.idle.front();
    oldest->close();
    shared.all.erase(oldest);
  }

  void close_all() {
    shared.stopping = true;
    boost::system::error_code none;
    acceptor.close(none);
    retry.cancel();
    const auto connections = shared.all;
    for (Connection* connection : connections) connection->close();
  }

  void stop_accepting() {
    shared.stopping = true;
    boost::system::error_code none;
    acceptor.close(none);
    retry.cancel();
    const auto idle = shared.idle;
    for (Connection* connection : idle) connection->close();
  }

  Connections shared;  // outlives the connections, which go with the context
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(io);
  tcp::acceptor acceptor;
  asio::steady_timer retry;
  std::uint16_t port = 0;
  std::thread thread;
};

HttpServer::HttpServer(const HttpOptions& options, HttpHandler& handler)
    : parts_(std::make_unique<Parts>(options, handler)) {}
HttpServer::~HttpServer() = default;

void HttpServer::start() { parts_->start(); }

std::uint16_t HttpServer::port() const { return parts_->port; }

ConnectionCounts HttpServer::connections() const { return {parts_->shared.open, parts_->shared.busy}; }

void HttpServer::stop_accepting() {
  std::promise<void> done;
  asio::post(parts_->io, [&] {
    parts_->stop_accepting();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace sgpt::serve
