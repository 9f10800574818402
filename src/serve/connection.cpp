#include "serve/connection.h"

#include <limits>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace sgpt::serve {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t kBuffer = 65536;  // more of the next request is not read ahead

/// Fields of a message that is written; its body stays where it is.
template <class Message>
void set_fields(Message& message, const HttpResponse& response, const HttpHead& head, bool keep_alive) {
  message.keep_alive(keep_alive);
  if (!response.type.empty()) message.set(http::field::content_type, response.type);
  for (const auto& [name, value] : response.headers) message.insert(name, value);
  if (!head.id.empty()) message.set("x-request-id", head.id);
}

bool is_http_error(const boost::system::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_version).category();
}

}  // namespace

Connection::Connection(tcp::socket socket, Connections& shared)
    : socket_(std::move(socket)), shared_(shared), timer_(shared.io), buffer_(kBuffer) {
  boost::system::error_code none;
  socket_.set_option(tcp::no_delay(true), none);
  socket_.non_blocking(true, none);
  shared_.all.insert(this);
  ++shared_.open;
}

Connection::~Connection() {
  enter(State::closed);
  count_body(0);
  shared_.all.erase(this);
  --shared_.open;
}

void Connection::enter(State state) {
  const auto busy = [](State s) { return s == State::waiting || s == State::writing; };
  if (state_ == State::idle) shared_.idle.erase(place_);
  if (busy(state_) && !busy(state)) --shared_.busy;
  if (!busy(state_) && busy(state)) ++shared_.busy;
  state_ = state;
  if (state_ == State::idle) place_ = shared_.idle.insert(shared_.idle.end(), this);
}

void Connection::close() {
  if (state_ == State::closed) return;
  enter(State::closed);
  ++timer_number_;
  timer_.cancel();
  boost::system::error_code none;
  socket_.close(none);
  count_body(0);
  if (const auto exchange = std::exchange(exchange_, nullptr)) exchange->gone();
}

void Connection::set_timer(std::chrono::milliseconds from_now) {
  timer_.expires_after(from_now);
  timer_.async_wait([self = shared_from_this(), number = ++timer_number_](Error) {
    if (number == self->timer_number_) self->out_of_time();
  });
}

void Connection::out_of_time() {
  if (state_ != State::head && state_ != State::body) return close();
  timed_out_ = true;
  boost::system::error_code none;
  socket_.cancel(none);  // ends the read, which then says so
}

void Connection::become_idle() {
  if (shared_.stopping) return close();
  enter(State::idle);
  set_timer(shared_.limits.idle);
  if (buffer_.size() > 0) return read_head();
  buffer_.clear();
  buffer_.shrink_to_fit();
  watch();
}

/// Waits for bytes without holding memory for them; also while a request waits, to see its client go.
void Connection::watch() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](Error error) {
    self->watching_ = false;
    if (!error) self->readable();
  });
}

void Connection::readable() {
  if (state_ == State::idle) return read_head();
  if (state_ != State::waiting) return;
  const std::size_t room = kBuffer - buffer_.size();
  if (room == 0) return;  // of a client that sends so much ahead nothing more is seen for now
  Error error;
  const std::size_t bytes = socket_.read_some(buffer_.prepare(std::min<std::size_t>(room, 4096)), error);
  if (error && error != asio::error::would_block) return close();
  buffer_.commit(bytes);
  watch();
}

void Connection::read_head() {
  enter(State::head);
  timed_out_ = false;
  head_ = {};
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_.limits.head_bytes));
  parser_->body_limit(
      std::numeric_limits<std::uint64_t>::max());  // sizes are counted here, where an answer can be given
  set_timer(shared_.limits.head);
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](Error error, std::size_t) { self->on_head(error); });
}

void Connection::on_head(Error error) {
  if (state_ != State::head) return;
  if (timed_out_) return fail(408, "the head of the request did not arrive in time");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return fail(431, fmt::format("the head of the request has more than {} bytes", shared_.limits.head_bytes));
  }
  if (error == http::error::end_of_stream || (error && !is_http_error(error))) return close();
  if (error == http::error::partial_message) return close();
  if (error) return fail(400, fmt::format("this is no HTTP/1.1 request: {}", error.message()));
  const auto& message = parser_->get();
  version_ = message.version();
  keep_alive_ = message.keep_alive();
  head_.method = std::string(message.method_string());
  head_only_ = head_.method == "HEAD";
  for (const auto& field : message) {
    head_.headers.emplace_back(lower_case({field.name_string().data(), field.name_string().size()}),
                               std::string(field.value()));
  }
  head_.id = request_id(head_.header("x-request-id"));
  head_.arrived = std::chrono::steady_clock::now();
  head_.first = std::exchange(first_, false);
  boost::system::error_code none;
  const auto peer = socket_.remote_endpoint(none);
  if (!none) head_.peer = fmt::format("{}:{}", peer.address().to_string(), peer.port());
  const auto path = decoded_path({message.target().data(), message.target().size()});
  if (!path) return fail(400, "the request's path is malformed");
  head_.path = *path;
  if (!screen()) return;
  if (head_.header("expect").empty() || parser_->is_done()) return read_body();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](Error failed, std::size_t) {
                      if (self->state_ != State::head) return;
                      failed ? self->close() : self->read_body();
                    });
}

/// False when the head alone was answered.
bool Connection::screen() {
  std::size_t codings = 0;
  bool other = false;
  for (const auto& [name, value] : head_.headers) {
    if (name != "transfer-encoding") continue;
    ++codings;
    other = other || lower_case(value) != "chunked";
  }
  const std::string expect = lower_case(head_.header("expect"));
  const std::string encoding = lower_case(head_.header("content-encoding"));
  const std::uint64_t length = parser_->content_length().value_or(0);
  const RequestLimits& limits = shared_.limits;
  if (other || codings > 1) {
    fail(501, "only the transfer coding chunked is understood");
  } else if (!expect.empty() && expect != "100-continue") {
    fail(417, "only 100-continue can be expected");
  } else if (!encoding.empty() && encoding != "identity") {
    fail(415, fmt::format("the body is encoded ({}), which is not understood: send it as it is",
                          head_.header("content-encoding")));
  } else if (length > limits.payload) {
    fail(413,
         fmt::format("the body has {} bytes, more than the {} that --payload_limit allows", length, limits.payload));
  } else if (shared_.bodies + length > limits.bodies) {
    fail(503, "too many large requests are being read: try again");
  } else if (auto response = shared_.handler.screen(head_)) {
    if (!parser_->is_done()) response->close = true;
    enter(State::waiting);
    send(std::move(*response));
  } else {
    return true;
  }
  return false;
}

void Connection::read_body() {
  enter(State::body);
  body_began_ = std::chrono::steady_clock::now();
  if (parser_->is_done()) return handle();
  set_timer(shared_.limits.with_bytes(shared_.limits.body, parser_->content_length().value_or(0)));
  http::async_read_some(socket_, buffer_, *parser_,
                        [self = shared_from_this()](Error error, std::size_t) { self->on_body(error); });
}

void Connection::count_body(std::uint64_t bytes) {
  shared_.bodies += bytes - body_bytes_;
  body_bytes_ = bytes;
}

void Connection::on_body(Error error) {
  if (state_ != State::body) return;
  if (timed_out_) return fail(408, "the body of the request did not arrive in time");
  if (error == http::error::partial_message || error == http::error::end_of_stream) return close();
  if (error && !is_http_error(error)) return close();
  if (error) return fail(400, fmt::format("the body of the request is malformed: {}", error.message()));
  const std::uint64_t bytes = parser_->get().body().size();
  if (bytes > shared_.limits.payload) {
    return fail(413,
                fmt::format("the body has more than the {} bytes that --payload_limit allows", shared_.limits.payload));
  }
  count_body(bytes);
  if (shared_.bodies > shared_.limits.bodies) return fail(503, "too many large requests are being read: try again");
  if (parser_->is_done()) return handle();
  if (!parser_->content_length()) {  // chunks: what has come tells how long it may take
    const auto until = body_began_ + shared_.limits.with_bytes(shared_.limits.body, bytes);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    set_timer(std::max(left, std::chrono::milliseconds(0)));
  }
  http::async_read_some(socket_, buffer_, *parser_,
                        [self = shared_from_this()](Error failed, std::size_t) { self->on_body(failed); });
}

void Connection::handle() {
  ++timer_number_;
  timer_.cancel();
  HttpRequest request{head_, std::move(parser_->get().body())};
  parser_.reset();
  enter(State::waiting);
  // Until it is answered, or the client gone, the exchange holds the connection.
  exchange_ = std::make_shared<Exchange>(std::move(request), [self = shared_from_this()](HttpResponse response) {
    asio::post(self->shared_.io, [self, response = std::move(response)]() mutable { self->send(std::move(response)); });
  });
  watch();
  shared_.handler.handle(exchange_);
}

/// What is wrong with the request itself: nothing more is read from this client.
void Connection::fail(int status, const std::string& sentence) {
  HttpResponse response = shared_.handler.failure(head_, status, sentence);
  response.close = true;
  enter(State::waiting);
  send(std::move(response));
}

void Connection::send(HttpResponse response) {
  if (state_ != State::waiting) return;
  enter(State::writing);
  exchange_.reset();
  count_body(0);
  response_ = std::move(response);
  const bool keep = keep_alive_ && !response_.close && !shared_.stopping;
  response_.close = !keep;
  set_timer(shared_.limits.with_bytes(shared_.limits.write, response_.body.size()));
  const auto done = [self = shared_from_this()](Error error, std::size_t bytes) { self->on_written(error, bytes); };
  const auto status = static_cast<http::status>(response_.status);
  if (head_only_) {
    auto message = std::make_shared<http::response<http::empty_body>>(status, version_);
    set_fields(*message, response_, head_, keep);
    message->content_length(response_.body.size());
    http::async_write(socket_, *message, [message, done](Error error, std::size_t bytes) { done(error, bytes); });
  } else {
    auto message = std::make_shared<http::response<http::string_body>>(status, version_);
    set_fields(*message, response_, head_, keep);
    message->body() = std::move(response_.body);
    if (response_.status != 204) message->prepare_payload();
    http::async_write(socket_, *message, [message, done](Error error, std::size_t bytes) { done(error, bytes); });
  }
}

void Connection::on_written(Error error, std::size_t bytes) {
  if (state_ != State::writing) return;
  shared_.handler.answered(head_, response_, bytes);
  if (error) return close();
  const bool keep = !response_.close;
  response_ = {};
  if (keep) return become_idle();
  linger();
}

/// A connection that is closed with unread bytes is reset, and its client may never see the answer.
void Connection::linger() {
  if (state_ != State::lingering) {
    enter(State::lingering);
    boost::system::error_code none;
    socket_.shutdown(tcp::socket::shutdown_send, none);
    set_timer(shared_.limits.linger);
  }
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](Error error, std::size_t) {
    if (self->state_ != State::lingering) return;
    error ? self->close() : self->linger();
  });
}

}  // namespace sgpt::serve
