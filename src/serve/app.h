// The server: routes, keys, requests on their way from JSON to lanes and back. HTTP comes through HttpHandler, work
// goes through Work.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/embed_request.h"
#include "serve/errors.h"
#include "serve/http_server.h"
#include "serve/metrics.h"
#include "serve/serve_options.h"
#include "serve/serving.h"
#include "serve/task_pool.h"

namespace sgpt::serve {

class App : public HttpHandler {
 public:
  /// Loads the model, listens, and serves from then on. Throws UserError and MachineError.
  explicit App(const ServeOptions& options);
  ~App() override;

  std::uint16_t port() const { return server_->port(); }

  /// Loads the folder anew and serves that from then on; where it cannot be loaded the old one stays, and false is
  /// given. Blocks its caller alone.
  bool reload();

  /// Not ready from now on; then takes no connection, finishes what was accepted, within the options' grace. True when
  /// everything was answered.
  bool stop();

  std::optional<HttpResponse> screen(const HttpHead& head) override;
  void handle(std::shared_ptr<Exchange> exchange) override;
  HttpResponse failure(const HttpHead& head, int status, const std::string& sentence) override;
  void answered(const HttpHead& head, const HttpResponse& response, std::size_t bytes) override;

 private:
  /// A request on its way.
  struct Call {
    std::shared_ptr<Exchange> exchange;
    std::shared_ptr<Serving> serving;
    Api api;
    std::shared_ptr<void> admitted;  // counts it among those in flight
    Clock::time_point begin;
  };
  using Write = std::function<std::string(const std::vector<EmbedRequest>&, const std::vector<EmbedAnswer>&)>;
  struct Job;
  struct Route {
    std::string_view path;
    std::string_view method;
    bool open;  // without a key
    void (App::*run)(const Call&);
  };
  static const std::vector<Route>& routes();
  static const Route* find(std::string_view path, std::string_view method);

  void embed_tei(const Call& call);
  void root(const Call& call);
  void similarity(const Call& call);
  void rerank(const Call& call);
  void embeddings_openai(const Call& call);
  void embed_cohere(const Call& call);
  void embed_ollama(const Call& call);
  void tags_ollama(const Call& call);
  void version_ollama(const Call& call);
  void models(const Call& call);
  void model(const Call& call);
  void info(const Call& call);
  void health(const Call& call);
  void ready(const Call& call);
  void metrics(const Call& call);

  void run_similarity(const Call& call, std::shared_ptr<const JsonBody> body);
  void run_embed(const Call& call, std::shared_ptr<const JsonBody> body);
  void embed(const Call& call, std::vector<EmbedRequest> parts, Write write);
  void finish(Job& job, WorkResult result);
  void refuse(const Call& call, const Failure& failure);
  void reply(const std::shared_ptr<Exchange>& exchange, HttpResponse response);
  void guarded(const Call& call, const std::function<void()>& work);
  void decorate(const HttpHead& head, HttpResponse& response) const;
  bool authorized(const HttpHead& head) const;
  TextKind kind_of(EmbedRequest& request, bool& by_default) const;
  InputRules rules(bool ids) const;
  std::shared_ptr<Serving> serving() const;
  std::string model_object(const Serving& serving, const std::string& id) const;
  std::vector<std::string> model_names(const Serving& serving) const;

  const ServeOptions options_;
  Metrics metrics_;
  const std::chrono::system_clock::time_point created_ = std::chrono::system_clock::now();
  mutable std::mutex serving_mutex_;
  std::shared_ptr<Serving> serving_;
  std::string last_reload_;  // under serving_mutex_: why the last one failed
  std::mutex reload_mutex_;
  std::atomic<bool> stopping_ = false;
  TaskPool pool_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace sgpt::serve
