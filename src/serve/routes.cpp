// Every route, and what it does with a request.
#include <algorithm>

#include <fmt/format.h>

#include "base/json_string.h"
#include "encode/encoder_parts.h"
#include "serve/app.h"
#include "serve/cohere.h"
#include "serve/ollama.h"
#include "serve/openai.h"
#include "serve/tei.h"

namespace sgpt::serve {
namespace {

constexpr std::string_view kModels = "/v1/models/";

std::shared_ptr<const JsonBody> body_of(const Exchange& exchange) {
  return std::make_shared<const JsonBody>(exchange.request().body);
}

}  // namespace

const std::vector<App::Route>& App::routes() {
  static const std::vector<Route> all{
      {"/embed", "POST", false, &App::embed_tei},
      {"/", "POST", false, &App::root},
      {"/invocations", "POST", false, &App::root},
      {"/similarity", "POST", false, &App::similarity},
      {"/rerank", "POST", false, &App::rerank},
      {"/v1/rerank", "POST", false, &App::rerank},
      {"/v2/rerank", "POST", false, &App::rerank},
      {"/v1/embeddings", "POST", false, &App::embeddings_openai},
      {"/embeddings", "POST", false, &App::embeddings_openai},
      {"/v1/models", "GET", false, &App::models},
      {"/v2/embed", "POST", false, &App::embed_cohere},
      {"/v1/embed", "POST", false, &App::embed_cohere},
      {"/api/embed", "POST", false, &App::embed_ollama},
      {"/api/embeddings", "POST", false, &App::embed_ollama},
      {"/api/tags", "GET", false, &App::tags_ollama},
      {"/api/version", "GET", false, &App::version_ollama},
      {"/info", "GET", true, &App::info},
      {"/health", "GET", true, &App::health},
      {"/ping", "GET", true, &App::health},
      {"/ready", "GET", true, &App::ready},
      {"/metrics", "GET", true, &App::metrics},
  };
  return all;
}

const App::Route* App::find(std::string_view path, std::string_view method) {
  static const Route one_model{kModels, "GET", false, &App::model};
  for (const Route& route : routes()) {
    if (route.path == path && route.method == method) return &route;
  }
  return method == "GET" && path.size() > kModels.size() && path.starts_with(kModels) ? &one_model : nullptr;
}

void App::embed_tei(const Call& call) { run_embed(call, body_of(*call.exchange)); }

void App::root(const Call& call) {
  auto body = body_of(*call.exchange);
  tei::is_similarity(*body) ? run_similarity(call, std::move(body)) : run_embed(call, std::move(body));
}

void App::run_embed(const Call& call, std::shared_ptr<const JsonBody> body) {
  embed(call, {tei::read_embed(std::move(body), rules(true))},
        [](const auto& requests, const auto& answers) { return tei::embeddings(requests[0], answers[0]); });
}

void App::similarity(const Call& call) { run_similarity(call, body_of(*call.exchange)); }

void App::run_similarity(const Call& call, std::shared_ptr<const JsonBody> body) {
  tei::SimilarityRequest request = tei::read_similarity(std::move(body), rules(false));
  embed(call, {std::move(request.source), std::move(request.sentences)},
        [](const auto&, const auto& answers) { return tei::numbers(tei::products(answers[0], answers[1])); });
}

void App::rerank(const Call& call) {
  auto request = std::make_shared<tei::RerankRequest>(tei::read_rerank(body_of(*call.exchange), rules(false)));
  const std::string id = call.exchange->request().head.id;
  embed(call, {request->query, request->documents}, [request, id](const auto&, const auto& answers) {
    return tei::ranking(*request, tei::products(answers[0], answers[1]), id);
  });
}

void App::embeddings_openai(const Call& call) {
  EmbedRequest request = openai::read_embeddings(body_of(*call.exchange), rules(options_.accept_token_ids));
  const std::string name = request.model.empty() ? call.serving->model.name() : request.model;
  embed(call, {std::move(request)}, [name](const auto& requests, const auto& answers) {
    return openai::embeddings(requests[0], answers[0], name);
  });
}

void App::embed_cohere(const Call& call) {
  const HttpHead& head = call.exchange->request().head;
  auto request = std::make_shared<cohere::Request>(
      cohere::read_embed(body_of(*call.exchange), rules(false), head.path == "/v1/embed"));
  embed(call, {request->embed}, [request, id = head.id](const auto&, const auto& answers) {
    return cohere::embeddings(*request, answers[0], id);
  });
}

void App::embed_ollama(const Call& call) {
  const bool old = call.exchange->request().head.path == "/api/embeddings";
  EmbedRequest request = ollama::read_embed(body_of(*call.exchange), rules(false), old);
  const std::string name = request.model.empty() ? call.serving->model.name() : request.model;
  embed(call, {std::move(request)}, [old, name, begin = call.begin](const auto&, const auto& answers) {
    const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    return old ? ollama::one_embedding(answers[0]) : ollama::embeddings(answers[0], name, time);
  });
}

void App::tags_ollama(const Call& call) {
  reply(call.exchange, {.body = ollama::tags(model_names(*call.serving), call.serving->model.dtype())});
}

void App::version_ollama(const Call& call) {
  reply(call.exchange, {.body = fmt::format(R"({{"version":"{}"}})", SGPT_VERSION)});
}

std::vector<std::string> App::model_names(const Serving& serving) const {
  const std::string& name = serving.model.name();
  return {name, name + ":query", name + ":document"};
}

std::string App::model_object(const Serving& serving, const std::string& id) const {
  const auto created = std::chrono::duration_cast<std::chrono::seconds>(created_.time_since_epoch()).count();
  return fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"sgpt","dimension":{},"max_input_length":{}}})",
      json_quoted(id), created, serving.model.dimension(), serving.model.longest());
}

void App::models(const Call& call) {
  std::string json = R"({"object":"list","data":[)";
  for (const std::string& id : model_names(*call.serving)) {
    if (json.back() != '[') json += ',';
    json += model_object(*call.serving, id);
  }
  reply(call.exchange, {.body = json + "]}"});
}

void App::model(const Call& call) {
  const std::string id = call.exchange->request().head.path.substr(kModels.size());
  const auto names = model_names(*call.serving);
  if (std::find(names.begin(), names.end(), id) == names.end()) {
    throw Failure{Kind::not_found, fmt::format("no model of that name is served; there are {}", fmt::join(names, ", ")),
                  "model"};
  }
  reply(call.exchange, {.body = model_object(*call.serving, id)});
}

void App::info(const Call& call) {
  const Serving& serving = *call.serving;
  const Encoder::Parts& parts = serving.model.encoder().parts();
  std::string pooling, measured, reload;
  for (const PoolingMode mode : parts.options.pooling) {
    if (!pooling.empty()) pooling += ',';
    pooling += sgpt::name_of(mode);
  }
  for (const BatchTime& batch : serving.batches.measured) {
    measured +=
        fmt::format(R"({}{{"tokens":{},"seconds":{:.6f}}})", measured.empty() ? "" : ",", batch.tokens, batch.seconds);
  }
  {
    const std::lock_guard lock(serving_mutex_);
    reload = last_reload_.empty() ? "null" : json_quoted(last_reload_);
  }
  reply(
      call.exchange,
      {.body = fmt::format(
           R"({{"model_id":{},"model_sha":null,"model_dtype":"{}","served_model_name":{},)"
           R"("model_type":{{"embedding":{{"pooling":"{}"}}}},"dimension":{},"brackets":{},"default_prompt_name":"{}",)"
           R"("max_concurrent_requests":{},"max_input_length":{},"max_batch_tokens":{},"max_batch_requests":null,)"
           R"("max_client_batch_size":{},"auto_truncate":{},"tokenization_workers":{},"lanes":{},"threads_a_lane":{},)"
           R"("measured_batches":[{}],"rerank":"cosine of the embeddings of query and document","reload_error":{},)"
           R"("version":"{}"}})",
           json_quoted(serving.model.name()), serving.model.dtype(), json_quoted(serving.model.name()), pooling,
           serving.model.dimension(), parts.preparation.brackets(),
           options_.default_kind == TextKind::query ? "query" : "document", options_.max_concurrent_requests,
           serving.model.longest(), serving.batches.batch_tokens, options_.max_client_batch_size,
           options_.auto_truncate, 2, serving.plan.lanes, serving.plan.threads, measured, reload, SGPT_VERSION)});
}

void App::health(const Call& call) {
  if (call.serving->lanes.longest_batch() > std::chrono::seconds(60)) {
    throw Failure{Kind::unavailable, "a lane has been at one batch for more than a minute", {}, 10};
  }
  reply(call.exchange, {.body = "", .type = "text/plain"});
}

void App::ready(const Call& call) {
  if (stopping_) throw Failure{Kind::unavailable, "the server is stopping", {}, 1};
  health(call);
}

void App::metrics(const Call& call) {
  const Serving& serving = *call.serving;
  reply(call.exchange, {.body = metrics_.text(serving.lanes.state(), server_->connections(), serving.model.name(),
                                              serving.model.dtype()),
                        .type = "text/plain; version=0.0.4; charset=utf-8"});
}

}  // namespace sgpt::serve
