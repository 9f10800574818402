#include "serve/app.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "serve/access_log.h"
#include "serve/tei.h"
#include "sgpt/error.h"

namespace sgpt::serve {
namespace {

constexpr int kPoolThreads = 2;

long long milliseconds(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}
double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// In a time that does not tell where they differ.
bool same_key(std::string_view key, std::string_view given) {
  unsigned difference = key.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(key[i % key.size()]);
  }
  return difference == 0;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0) || value > 1e9) return std::nullopt;
  return value;
}

/// What the client itself has patience for.
Clock::time_point deadline_of(const HttpHead& head) {
  Clock::time_point deadline = kNever;
  for (const auto& [name, unit] :
       {std::pair{"x-stainless-read-timeout", 1.0}, std::pair{"x-request-timeout-ms", 1e-3}}) {
    const auto patience = number(head.header(name));
    if (!patience) continue;
    const auto time = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*patience * unit));
    deadline = std::min(deadline, head.arrived + time);
  }
  return deadline;
}

std::int64_t retry_after(Clock::duration wait) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(seconds(wait))));
}

std::string_view word(TextKind kind) { return kind == TextKind::query ? "query" : "document"; }

}  // namespace

struct App::Job {
  Call call;
  std::vector<EmbedRequest> parts;
  std::vector<EmbedAnswer> answers;
  Write write;
  std::size_t inputs = 0;
  Clock::duration prepared{};
};

App::App(const ServeOptions& options) : options_(options), pool_(kPoolThreads) {
  server_ = std::make_unique<HttpServer>(options_.http, *this);  // a port that is taken is told before a model is read
  serving_ = std::make_shared<Serving>(options_);
  if (options_.default_kind_chosen && !serving_->model.knows_kinds()) {
    log::info(fmt::format("{}: the model has neither brackets nor prompts: --default_prompt_name makes no difference",
                          serving_->model.name()));
  }
  server_->start();
}

App::~App() {
  if (!stopping_.exchange(true)) {
    server_->stop_accepting();
    serving()->lanes.drain(Clock::now());
  }
  pool_.stop();
  server_.reset();
}

std::shared_ptr<Serving> App::serving() const {
  const std::lock_guard lock(serving_mutex_);
  return serving_;
}

bool App::reload() {
  const std::lock_guard one_at_a_time(reload_mutex_);
  std::shared_ptr<Serving> old;
  try {
    auto fresh = std::make_shared<Serving>(options_);
    const std::lock_guard lock(serving_mutex_);
    old = std::exchange(serving_, std::move(fresh));
    last_reload_.clear();
  } catch (const std::exception& error) {
    log::warning(fmt::format("the model was not loaded anew, the old one goes on: {}", error.what()));
    ++metrics_.reloads_failed;
    const std::lock_guard lock(serving_mutex_);
    last_reload_ = error.what();
    return false;
  }
  // Its requests finish on it. Whoever lets go last would join its lanes: that is to be this thread.
  while (old.use_count() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  old.reset();
  ++metrics_.reloads_done;
  log::info(fmt::format("{}: loaded anew", serving()->model.name()));
  return true;
}

bool App::stop() {
  if (stopping_.exchange(true)) return true;
  std::this_thread::sleep_for(options_.shutdown_delay);
  server_->stop_accepting();
  const Clock::time_point until = Clock::now() + options_.grace;
  // What is still read or tokenised has not reached the lanes: they close when nothing is in flight, or in time.
  while (metrics_.in_flight > 0 && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const bool all = serving()->lanes.drain(until);
  pool_.stop();
  const Clock::time_point written = std::max(until, Clock::now() + std::chrono::seconds(1));
  while (server_->connections().busy > 0 && Clock::now() < written) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return all;
}

bool App::authorized(const HttpHead& head) const {
  if (options_.keys.empty()) return true;
  std::string_view given = head.header("authorization");
  if (lower_case(given.substr(0, 7)) == "bearer ") given.remove_prefix(7);  // some clients send the bare key
  bool right = false;
  for (const std::string& key : options_.keys) right = same_key(key, given) || right;
  return right;
}

/// What every answer carries.
void App::decorate(const HttpHead& head, HttpResponse& response) const {
  const std::string_view origin = head.header("origin");
  for (const std::string& allowed : options_.cors_origins) {
    if (origin.empty() || (allowed != "*" && allowed != origin)) continue;
    response.headers.emplace_back("Access-Control-Allow-Origin", allowed);
    if (allowed != "*") response.headers.emplace_back("Vary", "Origin");
    if (head.method == "OPTIONS") {
      response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
      response.headers.emplace_back("Access-Control-Allow-Headers", "*, Authorization");
      response.headers.emplace_back("Access-Control-Max-Age", "86400");
    }
    break;
  }
  const std::string_view trace = head.header("traceparent");
  if (!trace_id(trace).empty()) response.headers.emplace_back("traceparent", trace);
}

std::optional<HttpResponse> App::screen(const HttpHead& head) {
  const auto refused = [&](const Failure& failure) {
    HttpResponse response = response_of(failure, api_of(head.path));
    decorate(head, response);
    return response;
  };
  const std::string_view method = head.method == "HEAD" ? "GET" : std::string_view(head.method);
  const Route* route = find(head.path, method);
  if (route) {
    if (route->open || authorized(head)) return std::nullopt;
    return refused({Kind::unauthorized, "the key is missing or wrong: send the header Authorization: Bearer KEY"});
  }
  std::string methods;
  for (const std::string_view there : {"GET", "POST"}) {
    if (find(head.path, there)) methods.append(methods.empty() ? "" : ", ").append(there);
  }
  if (methods.empty() && !(method == "OPTIONS" && head.path == "*")) {
    return refused({Kind::not_found, fmt::format("there is no {}", head.path.size() > 200 ? "such route" : head.path)});
  }
  methods += ", OPTIONS";
  if (method != "OPTIONS") {
    return refused({Kind::method,
                    fmt::format("{} takes {}, not {}", head.path, methods, head.method.substr(0, 20)),
                    {},
                    {},
                    methods});
  }
  HttpResponse response{.status = 204, .type = "", .headers = {{"Allow", methods}}};
  decorate(head, response);
  return response;
}

HttpResponse App::failure(const HttpHead& head, int status, const std::string& sentence) {
  Failure failure{serve::kind_of(status), sentence};
  if (status == 503) failure.retry_after = 1;
  HttpResponse response = response_of(failure, api_of(head.path));
  decorate(head, response);
  return response;
}

void App::answered(const HttpHead& head, const HttpResponse& response, std::size_t bytes) {
  const Clock::duration time = head.arrived == Clock::time_point() ? Clock::duration() : Clock::now() - head.arrived;
  ++metrics_.requests;
  if (response.status < 400) {
    ++metrics_.successes;
  } else {
    metrics_.failed(response.label);
  }
  metrics_.duration.observe(seconds(time));
  if (options_.access_log) {
    log::info(access_line(head, response, bytes, seconds(time) * 1e3, options_.json_log));
  }
}

void App::reply(const std::shared_ptr<Exchange>& exchange, HttpResponse response) {
  decorate(exchange->request().head, response);
  exchange->answer(std::move(response));
}

void App::refuse(const Call& call, const Failure& failure) { reply(call.exchange, response_of(failure, call.api)); }

/// Whatever goes wrong is answered.
void App::guarded(const Call& call, const std::function<void()>& work) {
  try {
    work();
  } catch (const Failure& failure) {
    refuse(call, failure);
  } catch (const std::bad_alloc&) {
    refuse(call, {Kind::unavailable, "memory is short: try again with less", {}, 10});
  } catch (const std::exception& error) {
    const std::string& id = call.exchange->request().head.id;
    log::warning(fmt::format("request {}: {}", id, error.what()));
    refuse(call, {Kind::internal, fmt::format("a mistake of the server's own: quote request {} to its keeper", id)});
  }
}

void App::handle(std::shared_ptr<Exchange> exchange) {
  const HttpHead& head = exchange->request().head;
  const Route* route = find(head.path, head.method == "HEAD" ? "GET" : std::string_view(head.method));
  Call call{exchange, serving(), api_of(head.path), nullptr, Clock::now()};
  if (route->open) {  // quick, and not to wait behind what the pool has to do
    return guarded(call, [&] { (this->*route->run)(call); });
  } else {
    call.admitted = std::shared_ptr<void>(nullptr, [this](void*) { --metrics_.in_flight; });
    if (++metrics_.in_flight > options_.max_concurrent_requests) {
      return refuse(call,
                    {Kind::overloaded,
                     fmt::format("{} requests are being answered, which is the most that --max_concurrent_requests "
                                 "allows: try again",
                                 options_.max_concurrent_requests),
                     {},
                     1});
    }
  }
  const bool posted = pool_.post([this, call, run = route->run] { guarded(call, [&] { (this->*run)(call); }); });
  if (!posted) refuse(call, {Kind::unavailable, "the server is stopping", {}, 1});
}

InputRules App::rules(bool ids) const {
  InputRules rules{options_.max_client_batch_size};
  if (!ids) {
    rules.ids_refused =
        "token ids are refused, since most clients send those of another model's tokenizer: send texts (in LangChain: "
        "check_embedding_ctx_length=False), or start the server with --accept_token_ids";
  }
  return rules;
}

TextKind App::kind_of(EmbedRequest& request, bool& by_default) const {
  const auto named = kind_of_name(request.model);
  by_default = !request.kind && !named;
  if (request.kind) return *request.kind;
  return named.value_or(options_.default_kind);
}

/// Prepares the parts of a request and hands their inputs to the lanes, as one.
void App::embed(const Call& call, std::vector<EmbedRequest> parts, Write write) {
  auto job = std::make_shared<Job>(Job{call, std::move(parts), {}, std::move(write)});
  const ServedModel& model = call.serving->model;
  WorkRequest work;
  for (EmbedRequest& part : job->parts) {
    bool by_default = false;
    const TextKind kind = kind_of(part, by_default);
    job->answers.push_back(model.prepare(part, kind, options_.auto_truncate, work.inputs));
    job->answers.back().kind_by_default = by_default;
  }
  job->inputs = work.inputs.size();
  const HttpHead& head = call.exchange->request().head;
  if (job->answers.front().kind_by_default && model.knows_kinds()) {
    ++metrics_.default_kinds;
    if (head.first && options_.access_log) {
      log::info(
          fmt::format("{}: the first request of this connection does not say whether its texts are queries or "
                      "documents: they are taken for {} (request {})",
                      head.peer, options_.default_kind == TextKind::query ? "queries" : "documents", head.id));
    }
  }
  call.exchange->drop_body();
  metrics_.embeds += job->inputs;
  for (const Input& input : work.inputs) metrics_.input_length.observe(static_cast<double>(input.tokens()));
  job->prepared = Clock::now() - call.begin;
  work.deadline = deadline_of(head);
  work.done = [this, job](WorkResult result) {
    auto shared = std::make_shared<WorkResult>(std::move(result));
    const bool posted =
        pool_.post([this, job, shared] { guarded(job->call, [&] { finish(*job, std::move(*shared)); }); });
    if (!posted) refuse(job->call, {Kind::unavailable, "the server is stopping", {}, 1});
  };
  const auto submitted = call.serving->lanes.submit(std::move(work));
  if (const auto* refusal = std::get_if<Refusal>(&submitted)) {
    if (refusal->why == Refusal::Why::stopping) throw Failure{Kind::unavailable, "the server is stopping", {}, 1};
    const std::int64_t wait = retry_after(refusal->expected);
    throw Failure{
        Kind::overloaded, fmt::format("the server is busy: this request would wait {} seconds", wait), {}, wait};
  }
  const TicketId ticket = std::get<TicketId>(submitted);
  call.exchange->on_gone([serving = std::weak_ptr(call.serving), ticket] {
    if (const auto there = serving.lock()) there->lanes.cancel(ticket);
  });
}

void App::finish(Job& job, WorkResult result) {
  const auto place = [&](std::size_t i) {
    for (const EmbedRequest& part : job.parts) {
      if (i < part.inputs.size()) return part.inputs.place(i);
      i -= part.inputs.size();
    }
    return std::string("an input");
  };
  switch (result.outcome) {
    case Outcome::done: break;
    case Outcome::not_finite:
      throw Failure{Kind::backend,
                    fmt::format("{}: the embedding is not finite: the weights of the model are too large "
                                "or broken",
                                place(result.place))};
    case Outcome::expired:
      throw Failure{Kind::timeout, "the time that the client itself had set was over before this was computed"};
    case Outcome::stopped: throw Failure{Kind::unavailable, "the server is stopping", {}, 1};
    case Outcome::failed: throw MachineError(result.why);
  }
  std::span<const Row> rows = result.rows;
  std::int64_t tokens = 0, characters = 0;
  std::size_t cut = 0;
  std::string kinds;
  for (std::size_t i = 0; i < job.parts.size(); ++i) {
    EmbedAnswer& answer = job.answers[i];
    job.call.serving->model.finish(job.parts[i], rows.subspan(0, job.parts[i].inputs.size()), answer);
    rows = rows.subspan(job.parts[i].inputs.size());
    tokens += answer.tokens;
    characters += answer.characters;
    cut += answer.cut.size();
    if (i == 0 || answer.kind != job.answers[0].kind) kinds.append(i == 0 ? "" : ", ").append(word(answer.kind));
    if (answer.kind_by_default) kinds += "; default";
  }
  HttpResponse response{.body = job.write(job.parts, job.answers)};
  const Clock::duration total = Clock::now() - job.call.begin;
  const auto header = [&](const char* name, const auto& value) {
    response.headers.emplace_back(name, fmt::format("{}", value));
  };
  header("x-compute-type", "cpu");
  header("x-compute-time", milliseconds(total));
  header("x-compute-characters", characters);
  header("x-compute-tokens", tokens);
  header("x-total-time", milliseconds(total));
  header("x-tokenization-time", milliseconds(job.prepared));
  header("x-queue-time", milliseconds(result.queued));
  header("x-inference-time", milliseconds(result.computed));
  header("x-sgpt-kind", kinds);
  header("x-sgpt-cached", result.cached);
  if (cut > 0) header("x-sgpt-truncated", cut);
  const auto note = [&](const char* name, const auto& value) {
    response.notes.emplace_back(name, fmt::format("{}", value));
  };
  note("model", job.call.serving->model.name());
  note("kind", kinds);
  note("inputs", job.inputs);
  note("tokens", tokens);
  note("truncated", cut);
  note("cached", result.cached);
  note("queue_ms", milliseconds(result.queued));
  note("inference_ms", milliseconds(result.computed));
  metrics_.truncated += cut;
  metrics_.embed_successes += job.inputs;
  metrics_.tokenization.observe(seconds(job.prepared));
  metrics_.queue.observe(seconds(result.queued));
  metrics_.inference.observe(seconds(result.computed));
  reply(job.call.exchange, std::move(response));
}

}  // namespace sgpt::serve
