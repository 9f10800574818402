// One client: reads a request, waits for its answer, writes it, and so on. Everything happens on the I/O thread, but
// for Exchange::answer. Includes Boost: for http_server.cpp and connection.cpp alone.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "serve/http.h"
#include "serve/request_limits.h"

namespace sgpt::serve {

class Connection;

/// What all connections share.
struct Connections {
  HttpHandler& handler;
  RequestLimits limits;
  boost::asio::io_context& io;
  std::unordered_set<Connection*> all = {};
  std::list<Connection*> idle = {};  ///< the oldest in front
  std::uint64_t bodies = 0;          ///< bytes of bodies in memory
  bool stopping = false;
  std::atomic<std::size_t> open = 0, busy = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Connections& shared);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() { become_idle(); }
  void close();

 private:
  enum class State { idle, head, body, waiting, writing, lingering, closed };
  using Error = boost::system::error_code;

  void enter(State state);
  void set_timer(std::chrono::milliseconds from_now);
  void out_of_time();
  void become_idle();
  void watch();
  void readable();
  void read_head();
  void on_head(Error error);
  bool screen();
  void read_body();
  void on_body(Error error);
  void count_body(std::uint64_t bytes);
  void handle();
  void fail(int status, const std::string& sentence);
  void send(HttpResponse response);
  void on_written(Error error, std::size_t bytes);
  void linger();

  boost::asio::ip::tcp::socket socket_;
  Connections& shared_;
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  State state_ = State::closed;
  std::list<Connection*>::iterator place_;  // among the idle ones
  std::uint64_t timer_number_ = 0;
  bool watching_ = false, timed_out_ = false, keep_alive_ = false, head_only_ = false, first_ = true;
  unsigned version_ = 11;
  std::chrono::steady_clock::time_point body_began_{};
  std::uint64_t body_bytes_ = 0;  // of this connection in shared_.bodies
  HttpHead head_;
  std::shared_ptr<Exchange> exchange_;
  HttpResponse response_;
};

}  // namespace sgpt::serve
