// The whole server over HTTP, beside the library in the same process: every vector has the library's bits.
#include "serve/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "http_client.h"
#include "sgpt/encoder.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::serve {
namespace {

using nlohmann::json;
using sgpt::testing::TempFolder;
using sgpt::testing::write_tiny_model;
using ::testing::HasSubstr;
using testing::HttpClient;
using testing::Reply;

using Vector = std::vector<float>;

std::vector<std::string> random_texts(std::size_t count, unsigned seed) {
  static const std::vector<std::string> kPieces{"the", " and", " thing", "ing", ".", " ",
                                                "é",   "東京", "🚀",      "\n",  "[", "}"};
  std::mt19937 random(seed);
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    for (std::size_t pieces = 1 + random() % (random() % 5 == 0 ? 100 : 15); pieces > 0; --pieces) {
      text += kPieces[random() % kPieces.size()];
    }
  }
  return texts;
}

Vector from_base64(const std::string& text) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = (bits << 6) | static_cast<std::uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 255);
  }
  Vector values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// A server of a tiny model with brackets, and the library with the same.
class Served {
 public:
  explicit Served(ServeOptions options = {}, const sgpt::testing::TinyModel& tiny = {}) {
    write_tiny_model(folder_.path(), tiny);
    options.model = folder_.path();
    options.encoder.brackets = options.encoder.brackets.value_or(true);
    options.encoder.threads = 1;
    options.http.port = 0;
    options.access_log = false;
    options.served_model_name = "tiny";
    EncoderOptions plain = options.encoder;
    app_ = std::make_unique<App>(options);
    raw_ = std::make_unique<Encoder>(Encoder::load(folder_.path(), plain));
    plain.normalize = true;
    normal_ = std::make_unique<Encoder>(Encoder::load(folder_.path(), plain));
  }

  App& app() { return *app_; }
  std::uint16_t port() const { return app_->port(); }
  const TempFolder& folder() const { return folder_; }
  Vector expected(const std::string& text, TextKind kind = TextKind::document) const {
    return normal_->encode(std::vector{text}, kind).values;
  }
  Vector unscaled(const std::string& text, TextKind kind = TextKind::document) const {
    return raw_->encode(std::vector{text}, kind).values;
  }
  const Encoder& encoder() const { return *raw_; }
  Reply post(const std::string& path, const std::string& body, const HttpClient::Headers& headers = {}) const {
    return HttpClient(port()).post(path, body, headers);
  }
  Reply post(const std::string& path, const json& body, const HttpClient::Headers& headers = {}) const {
    return post(path, body.dump(), headers);
  }
  json ask(const std::string& path, const json& body) const {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body, nullptr, false);
  }
  Reply get(const std::string& path, const HttpClient::Headers& headers = {}) const {
    return HttpClient(port()).get(path, headers);
  }

 private:
  TempFolder folder_;
  std::unique_ptr<App> app_;
  std::unique_ptr<Encoder> raw_, normal_;
};

Vector floats(const json& list) { return list.get<Vector>(); }

TEST(App, EveryRouteGivesTheBitsOfTheLibraryFromManyConnections) {
  const std::vector<std::string> texts = random_texts(200, 3);
  for (const int lanes : {1, 2, 3}) {
    for (const std::size_t cache : {0U, 1000000U}) {
      Served served({.cache_bytes = cache, .lanes = lanes});
      std::map<std::string, Vector> queries, documents;
      for (const std::string& text : texts) {
        queries[text] = served.expected(text, TextKind::query);
        documents[text] = served.expected(text);
      }
      std::atomic<std::size_t> right = 0;
      std::vector<std::thread> clients;
      constexpr std::size_t kClients = 64;
      for (std::size_t c = 0; c < kClients; ++c) {
        clients.emplace_back([&, c] {
          HttpClient client(served.port());
          std::mt19937 random(static_cast<unsigned>(c));
          for (int request = 0; request < 6; ++request) {
            std::vector<std::string> some;
            for (std::size_t n = random() % 3 == 0 ? 1 : 1 + random() % 12; n > 0; --n) {
              some.push_back(texts[random() % texts.size()]);
            }
            const bool query = random() % 2 == 0, base64 = random() % 2 == 0;
            const auto& expected = query ? queries : documents;
            bool same = true;
            if (request % 2 == 0) {
              const json body{{"inputs", some}, {"prompt_name", query ? "query" : "document"}};
              const auto rows = json::parse(client.post(request % 4 == 0 ? "/embed" : "/", body.dump()).body);
              for (std::size_t i = 0; i < some.size(); ++i) same &= floats(rows.at(i)) == expected.at(some[i]);
            } else {
              const json body{{"input", some},
                              {"model", query ? "tiny:query" : "tiny:document"},
                              {"encoding_format", base64 ? "base64" : "float"}};
              const auto rows = json::parse(client.post("/v1/embeddings", body.dump()).body);
              for (std::size_t i = 0; i < some.size(); ++i) {
                const json& row = rows.at("data").at(i).at("embedding");
                same &= (base64 ? from_base64(row.get<std::string>()) : floats(row)) == expected.at(some[i]);
              }
            }
            if (same) ++right;
          }
        });
      }
      for (std::thread& client : clients) client.join();
      EXPECT_EQ(right, kClients * 6) << lanes << " lanes, cache " << cache;
    }
  }
}

TEST(App, OneTextAlsoGetsAListAndNormalizingAndDimensionsAreApplied) {
  Served served;
  const std::string text = "the thing";
  EXPECT_EQ(floats(served.ask("/embed", {{"inputs", text}}).at(0)), served.expected(text));
  EXPECT_EQ(floats(served.ask("/embed", {{"inputs", text}, {"normalize", false}}).at(0)), served.unscaled(text));
  const json short_row = served.ask("/embed", {{"inputs", {text}}, {"dimensions", 5}});
  const Encoder five =
      Encoder::load(served.folder().path(), {.brackets = true, .normalize = true, .threads = 1, .truncate_dim = 5});
  EXPECT_EQ(floats(short_row.at(0)), five.encode_documents(std::vector{text}).values);
  const json openai = served.ask("/v1/embeddings", {{"input", text}, {"model", "any"}, {"dimensions", 5}});
  EXPECT_EQ(floats(openai.at("data").at(0).at("embedding")), floats(short_row.at(0)));
  EXPECT_EQ(openai.at("model"), "any");
  const auto tokens = served.encoder().tokenize(text, TextKind::document).size();
  EXPECT_EQ(openai.at("usage"), json({{"prompt_tokens", tokens}, {"total_tokens", tokens}}));
  const json all_null{{"inputs", text},        {"truncate", nullptr},  {"prompt_name", nullptr},
                      {"dimensions", nullptr}, {"normalize", nullptr}, {"truncation_direction", nullptr},
                      {"unknown", {1, 2}}};
  EXPECT_EQ(floats(served.ask("/invocations", all_null).at(0)), served.expected(text));
  const json voyage{
      {"input", {text}},         {"model", "tiny"},       {"input_type", "query"},      {"truncation", true},
      {"output_dtype", nullptr}, {"output_dimension", 5}, {"encoding_format", "base64"}};
  const auto voyage_row = served.ask("/v1/embeddings", voyage).at("data").at(0).at("embedding").get<std::string>();
  EXPECT_EQ(from_base64(voyage_row), five.encode_queries(std::vector{text}).values);
}

TEST(App, ModelsThatNormalizeThemselvesAndModelsWithPrompts) {
  const std::string text = "the thing";
  const Served normal({}, {.normalize = true});
  EXPECT_EQ(floats(normal.ask("/embed", {{"inputs", text}, {"normalize", false}}).at(0)), normal.expected(text));

  EncoderOptions prompts{.brackets = false};
  prompts.query_prompt.text = "on: ";
  prompts.document_prompt.text = "in: ";
  const Served served({.encoder = prompts});
  for (const auto& [name, kind] : {std::pair{"query", TextKind::query}, std::pair{"passage", TextKind::document}}) {
    EXPECT_EQ(floats(served.ask("/embed", {{"inputs", text}, {"prompt_name", name}}).at(0)),
              served.expected(text, kind));
  }
  EXPECT_NE(served.expected(text, TextKind::query), served.expected(text));
}

TEST(App, WhatIsSaidOfTheKindIsFollowedAndTheDefaultIsTold) {
  const Served served;
  const auto kind = [&](const std::string& path, const json& body) {
    return served.post(path, body).header("x-sgpt-kind");
  };
  EXPECT_EQ(kind("/embed", {{"inputs", "a"}}), "document; default");
  EXPECT_EQ(kind("/embed", {{"inputs", "a"}, {"prompt_name", "query"}}), "query");
  EXPECT_EQ(kind("/v1/embeddings", {{"input", "a"}, {"model", "x"}, {"task", "retrieval.query"}}), "query");
  EXPECT_EQ(kind("/v1/embeddings", {{"input", "a"}, {"model", "x:query"}}), "query");
  EXPECT_EQ(kind("/v1/embeddings", {{"input", "a"}, {"model", "x:query"}, {"input_type", "document"}}), "document");
  EXPECT_EQ(kind("/similarity", {{"inputs", {{"source_sentence", "a"}, {"sentences", {"b"}}}}}), "query, document");
  const Served queries({.default_kind = TextKind::query});
  EXPECT_EQ(queries.post("/embed", json{{"inputs", "a"}}).header("x-sgpt-kind"), "query; default");
  const Reply wrong = served.post("/embed", json{{"inputs", "a"}, {"prompt_name", "clustering"}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(wrong.body, AllOf(HasSubstr("search_query"), HasSubstr("passage"), HasSubstr("clustering")));
}

TEST(App, SimilarityAndRerankAreCosinesOfAQueryWithDocuments) {
  const Served served;
  const std::vector<std::string> sentences{"the thing", "and on", "ring"};
  const Vector query = served.expected("a thing", TextKind::query);
  std::vector<float> expected;
  for (const std::string& sentence : sentences) {
    const Vector row = served.expected(sentence);
    double sum = 0;
    for (std::size_t i = 0; i < row.size(); ++i) sum += double{query[i]} * double{row[i]};
    expected.push_back(static_cast<float>(sum));
  }
  const json inputs{{"source_sentence", "a thing"}, {"sentences", sentences}};
  for (const char* path : {"/similarity", "/"}) {
    EXPECT_EQ(floats(served.ask(path, {{"inputs", inputs}, {"parameters", json::object()}})), expected) << path;
  }
  const json ranked = served.ask("/rerank", {{"query", "a thing"}, {"texts", sentences}, {"return_text", true}});
  ASSERT_EQ(ranked.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto index = ranked[i].at("index").get<std::size_t>();
    EXPECT_EQ(ranked[i].at("score").get<float>(), expected[index]);
    EXPECT_EQ(ranked[i].at("text"), sentences[index]);
    if (i > 0) {
      EXPECT_GE(ranked[i - 1].at("score").get<float>(), ranked[i].at("score").get<float>());
    }
  }
  const json cohere = served.ask("/v2/rerank", {{"query", "a thing"}, {"documents", sentences}, {"top_n", 2}});
  ASSERT_EQ(cohere.at("results").size(), 2U);
  EXPECT_EQ(cohere["results"][0]["index"], ranked[0]["index"]);
  EXPECT_EQ(cohere["results"][0]["relevance_score"].get<float>(), ranked[0]["score"].get<float>());
}

TEST(App, SpeaksAsCohereAndOllamaDo) {
  const Served served;
  const std::vector<std::string> texts{"the thing", "and on"};
  const json by_type = served.ask("/v2/embed", {{"texts", texts},
                                                {"model", "m"},
                                                {"input_type", "search_query"},
                                                {"embedding_types", {"float", "int8", "uint8", "binary", "ubinary"}}});
  EXPECT_EQ(by_type.at("response_type"), "embeddings_by_type");
  EXPECT_EQ(by_type.at("texts"), json(texts));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Vector row = served.expected(texts[i], TextKind::query);
    EXPECT_EQ(floats(by_type["embeddings"]["float"][i]), row);
    float largest = 0;
    for (const float value : row) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < row.size(); ++k) {
      const int byte = by_type["embeddings"]["int8"][i][k].get<int>();
      EXPECT_NEAR(static_cast<float>(byte) * largest / 127, row[k], largest / 127);
      EXPECT_EQ(by_type["embeddings"]["uint8"][i][k].get<int>(), byte + 128);
      const int bits = by_type["embeddings"]["ubinary"][i][k / 8].get<int>();
      EXPECT_EQ((bits >> (7 - k % 8)) & 1, row[k] > 0 ? 1 : 0);
      EXPECT_EQ(by_type["embeddings"]["binary"][i][k / 8].get<int>(), bits - 128);
    }
  }
  const json old = served.ask(
      "/v1/embed", {{"texts", texts}, {"model", "m"}, {"truncate", nullptr}, {"input_type", "search_document"}});
  EXPECT_EQ(old.at("response_type"), "embeddings_floats");
  EXPECT_EQ(floats(old["embeddings"][1]), served.expected(texts[1]));
  EXPECT_FALSE(old["meta"].contains("warnings"));
  const std::string long_text(500, 'x');
  EXPECT_TRUE(served.ask("/v2/embed", {{"texts", {long_text}}, {"truncate", "START"}})["meta"].contains("warnings"));
  EXPECT_EQ(served.post("/v2/embed", json{{"texts", {long_text}}, {"truncate", "NONE"}}).status, 422);
  const Reply wrong = served.post("/v2/embed", json{{"texts", texts}, {"embedding_types", {"int4"}}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(json::parse(wrong.body).at("message").get<std::string>(), HasSubstr("embedding_types[0]"));
  EXPECT_EQ(served.post("/v2/embed", json{{"images", {"x"}}}).status, 422);

  const json ollama =
      served.ask("/api/embed", {{"model", "tiny:query"}, {"input", texts}, {"options", json::object()}});
  EXPECT_EQ(floats(ollama["embeddings"][1]), served.expected(texts[1], TextKind::query));
  EXPECT_EQ(floats(served.ask("/api/embeddings", {{"model", "tiny"}, {"prompt", texts[0]}})["embedding"]),
            served.expected(texts[0]));
  EXPECT_EQ(json::parse(served.get("/api/tags").body)["models"].size(), 3U);
  EXPECT_TRUE(json::parse(served.get("/api/version").body).contains("version"));
  EXPECT_EQ(json::parse(served.post("/api/embed", json::object()).body).at("error"), "input: missing");
}

TEST(App, TokenIdsAreTakenAsTheyAreWhereTheyAreTaken) {
  const Served served;
  const auto ids = served.encoder().tokenize("the thing", TextKind::query);
  const Vector expected = served.expected("the thing", TextKind::query);
  EXPECT_EQ(floats(served.ask("/embed", {{"inputs", ids}}).at(0)), expected);
  EXPECT_EQ(floats(served.ask("/embed", {{"inputs", {ids, {5, 6}}}}).at(0)), expected);
  const Reply stranger = served.post("/embed", json{{"inputs", {{5, 100000}}}});
  EXPECT_EQ(stranger.status, 422);
  EXPECT_THAT(stranger.body, HasSubstr("inputs[0][1]: expected a token id of the model"));
  const Reply refused = served.post("/v1/embeddings", json{{"input", {{5, 6}}}, {"model", "m"}});
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("check_embedding_ctx_length=False"));
  const Served accepting({.accept_token_ids = true});
  EXPECT_EQ(floats(accepting.ask("/v1/embeddings", {{"input", {ids}}}).at("data").at(0).at("embedding")),
            accepting.expected("the thing", TextKind::query));
}

TEST(App, WhatIsCutIsTold) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += fmt::format(" {}", i);
  const Served served;
  const Reply cut = served.post("/embed", json{{"inputs", {"short", text}}});
  EXPECT_EQ(cut.header("x-sgpt-truncated"), "1");
  EXPECT_EQ(floats(json::parse(cut.body).at(1)), served.expected(text));
  EXPECT_EQ(served.post("/embed", json{{"inputs", "short"}}).header("x-sgpt-truncated"), "");
  const json refusing{{"inputs", {"short", text}}, {"truncate", false}};
  const Reply refused = served.post("/embed", refusing);
  EXPECT_EQ(refused.status, 422);
  const Encoder whole = Encoder::load(served.folder().path(), {.brackets = true, .max_seq_length = 5000});
  EXPECT_THAT(refused.body, HasSubstr(fmt::format("inputs[1]: {} tokens, but the model takes 64",
                                                  whole.tokenize(text, TextKind::document).size())));
  const Served strict({.auto_truncate = false});
  EXPECT_EQ(strict.post("/v1/embeddings", json{{"input", text}, {"model", "m"}}).status, 422);
  EXPECT_EQ(strict.post("/v1/embeddings", json{{"input", text}, {"model", "m"}, {"truncation", true}}).status, 200);

  // From the left: the last 62 tokens, in the brackets.
  const json left = served.ask("/embed", {{"inputs", text}, {"truncation_direction", "Left"}});
  auto ids = whole.tokenize(text, TextKind::document);
  ids.erase(ids.begin() + 1, ids.end() - 63);
  EXPECT_EQ(floats(left.at(0)), floats(served.ask("/embed", {{"inputs", ids}}).at(0)));
}

TEST(App, MistakesAreNamedInTheShapeOfTheirInterface) {
  Served served({.max_client_batch_size = 3});
  struct Case {
    const char* path;
    std::string body;
    int status;
    std::string says;
  };
  const std::string deep = std::string(100000, '[');
  for (const Case& mistake : std::vector<Case>{
           {"/embed", "", 400, "the body is empty"},
           {"/embed", "{\"inputs\": }", 400, "the body is no JSON at byte 12"},
           {"/embed", "{\"inputs\": \"a\"", 400, "the body is no JSON at byte"},
           {"/embed", deep, 400, "the body"},
           {"/embed", "{\"inputs\": 1e999}", 400, "out of range"},
           {"/embed", R"({"inputs": "\ud800"})", 400, "the body is no JSON at byte"},
           {"/embed", "{\"inputs\": \"\xff\"}", 422, "no valid UTF-8 at byte 12"},
           {"/embed", "[1, 2]", 422, "the body: expected an object, found a list"},
           {"/embed", "{}", 422, "inputs: missing"},
           {"/embed", R"({"inputs": {}})", 422, "inputs: expected a text or a list of texts, found an object"},
           {"/embed", R"({"inputs": 7})", 422, "inputs: expected a text or a list of texts, found a number"},
           {"/embed", R"({"inputs": []})", 400, "inputs: the list is empty"},
           {"/embed", R"({"inputs": ["a", 7]})", 422, "inputs[1]: expected a text"},
           {"/embed", R"({"inputs": ["a", [7]]})", 422, "inputs[1]: expected a text, as before it, found a list"},
           {"/embed", R"({"inputs": [[7], "a"]})", 422, "inputs[1]: expected a list of token ids, as before it"},
           {"/embed", R"({"inputs": [[7], []]})", 400, "inputs[1]: the list of token ids is empty"},
           {"/embed", R"({"inputs": [[7.5]]})", 422, "inputs[0][0]: expected a token id"},
           {"/embed", R"({"inputs": ["a","b","c","d"]})", 422, "inputs: more than the 3 inputs"},
           {"/embed", R"({"inputs": "a", "dimensions": 0})", 422, "dimensions: expected a positive number, found 0"},
           {"/embed", R"({"inputs": "a", "dimensions": -5})", 422, "found -5"},
           {"/embed", R"({"inputs": "a", "dimensions": 1000})", 422, "dimensions: expected at most 32"},
           {"/embed", R"({"inputs": "a", "dimensions": 2.5})", 422, "dimensions: expected a whole number"},
           {"/embed", R"({"inputs": "a", "normalize": "yes"})", 422, "normalize: expected true or false, found a text"},
           {"/embed", R"({"inputs": "a", "truncation_direction": "up"})", 422, "one of left, right"},
           {"/embed", R"({"inputs": "a", "encoding_format": "int8"})", 422, "one of float, base64"},
           {"/similarity", R"({"inputs": {"sentences": ["a"]}})", 422, "inputs.source_sentence: missing"},
           {"/rerank", R"({"query": "a"})", 422, "texts: missing"},
           {"/v1/embeddings", R"({"input": 7, "model": "m"})", 422, "input: expected a text"},
           {"/v1/embeddings", R"({"model": "m"})", 422, "input: missing"},
           {"/v1/embeddings", R"({"input": "a", "output_dtype": "int8"})", 422, "output_dtype: expected one of float"},
       }) {
    const Reply reply = served.post(mistake.path, mistake.body);
    EXPECT_EQ(reply.status, mistake.status) << mistake.body.substr(0, 100) << "\n" << reply.body;
    const json body = json::parse(reply.body, nullptr, false);
    ASSERT_FALSE(body.is_discarded()) << reply.body;
    if (std::string(mistake.path) == "/v1/embeddings") {
      EXPECT_THAT(body.at("error").at("message").get<std::string>(), HasSubstr(mistake.says));
      EXPECT_EQ(body.at("error").at("type"), "invalid_request_error");
    } else {
      EXPECT_THAT(body.at("error").get<std::string>(), HasSubstr(mistake.says));
      EXPECT_TRUE(body.contains("error_type"));
    }
  }
  const Served without({.encoder = {.brackets = false}});
  const Reply empty = without.post("/embed", json{{"inputs", {"a", ""}}});
  EXPECT_EQ(empty.status, 400);
  EXPECT_THAT(empty.body, HasSubstr("inputs[1]: the text has no token"));
  EXPECT_EQ(served.post("/embed", std::string(R"({"inputs": "a\u0000b"})")).status, 200);
}

TEST(App, RoutesMethodsKeysAndOrigins) {
  const Served served({.keys = {"first", "second"}, .cors_origins = {"http://page.test"}});
  const json body{{"inputs", "a"}};
  const auto status = [&](const std::string& key) {
    return served.post("/embed", body, {{"Authorization", key}}).status;
  };
  EXPECT_EQ(status("Bearer first"), 200);
  EXPECT_EQ(status("bearer second"), 200);
  EXPECT_EQ(status("second"), 200);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer firs", "Bearer firstt", "Basic first"}) {
    EXPECT_EQ(status(wrong), 401) << wrong;
  }
  const Reply none = served.post("/v1/embeddings", body);
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.header("www-authenticate"), "Bearer");
  for (const char* open : {"/info", "/health", "/ready", "/ping", "/metrics"})
    EXPECT_EQ(served.get(open).status, 200) << open;
  EXPECT_EQ(served.get("/v1/models").status, 401);
  EXPECT_EQ(served.get("/nothing").status, 404);
  const Reply method = served.get("/embed");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("allow"), "POST, OPTIONS");
  HttpClient client(served.port());
  client.send(HttpClient::request("OPTIONS", "/embed", {}, {{"Origin", "http://page.test"}}));
  const Reply options = client.reply();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("access-control-allow-origin"), "http://page.test");
  EXPECT_EQ(served.get("/info", {{"Origin", "http://other.test"}}).header("access-control-allow-origin"), "");
}

TEST(App, ModelsInfoMetricsAndHeaders) {
  const Served served;
  const json models = json::parse(served.get("/v1/models").body);
  ASSERT_EQ(models.at("data").size(), 3U);
  EXPECT_EQ(models["data"][1]["id"], "tiny:query");
  EXPECT_EQ(models["data"][1]["dimension"], 32);
  EXPECT_EQ(json::parse(served.get("/v1/models/tiny:document").body).at("max_input_length"), 64);
  EXPECT_EQ(served.get("/v1/models/tiny%3Aquery").status, 200);
  EXPECT_EQ(served.get("/v1/models/other").status, 404);
  const json info = json::parse(served.get("/info").body);
  EXPECT_EQ(info.at("max_input_length"), 64);
  EXPECT_EQ(info.at("model_type").at("embedding").at("pooling"), "weightedmean");
  EXPECT_FALSE(info.at("measured_batches").empty());

  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const Reply reply = served.post("/embed", json{{"inputs", {"é東", "thing", "thing"}}}, {{"traceparent", trace}});
  EXPECT_EQ(reply.header("traceparent"), trace);
  EXPECT_EQ(reply.header("x-compute-type"), "cpu");
  EXPECT_EQ(reply.header("x-compute-characters"), "12");
  EXPECT_EQ(reply.header("x-sgpt-cached"), "1");  // the third is the second
  EXPECT_EQ(served.post("/embed", json{{"inputs", {"é東"}}}).header("x-sgpt-cached"), "1");
  const std::string metrics = served.get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("te_embed_success 4\n"));
  EXPECT_THAT(metrics, HasSubstr("sgpt_default_kind_total 2\n"));
  EXPECT_THAT(metrics, HasSubstr("sgpt_model_info{model=\"tiny\",dtype=\"f32\"} 1\n"));
}

TEST(App, WeightsThatGiveNoFiniteNumberAreTold) {
  const Served served({}, {.change = [](std::string_view name, std::vector<float>& values) {
                        if (name == "word_embeddings.weight") {
                          for (std::size_t i = 100 * 32; i < 101 * 32; ++i) values[i] = 3e38f;
                        }
                      }});
  const Reply bad = served.post("/embed", json{{"inputs", {{5}, {100}}}});
  EXPECT_EQ(bad.status, 424) << bad.body;
  EXPECT_THAT(bad.body, HasSubstr("inputs[1]"));
}

TEST(App, AClientsDeadlineIsKept) {
  const Served served;
  const Reply late =
      served.post("/embed", json{{"inputs", "a thing that nobody asked for"}}, {{"x-request-timeout-ms", "0.0001"}});
  EXPECT_EQ(late.status, 408) << late.body;
  EXPECT_EQ(served.post("/embed", json{{"inputs", "a"}}, {{"x-stainless-read-timeout", "600"}}).status, 200);
}

TEST(App, AReloadServesTheNewModelAndABrokenOneLeavesTheOld) {
  Served served;
  const std::string text = "the thing";
  const json before = served.ask("/embed", {{"inputs", text}});
  std::atomic<bool> done = false;
  std::atomic<int> failed = 0;
  std::thread client([&] {
    while (!done) {
      if (served.post("/embed", json{{"inputs", text}}).status != 200) ++failed;
    }
  });
  const std::filesystem::path folder = served.folder().path();
  std::filesystem::rename(folder / "model.safetensors", folder / "old.safetensors");
  EXPECT_FALSE(served.app().reload());
  EXPECT_EQ(served.ask("/embed", {{"inputs", text}}), before);
  EXPECT_THAT(json::parse(served.get("/info").body).at("reload_error").get<std::string>(), HasSubstr("safetensors"));
  std::filesystem::remove(folder / "old.safetensors");
  sgpt::testing::write_tiny_weights(folder / "model.safetensors", {.seed = 2});
  EXPECT_TRUE(served.app().reload());
  done = true;
  client.join();
  EXPECT_EQ(failed, 0);
  const Encoder fresh = Encoder::load(folder, {.brackets = true, .normalize = true, .threads = 1});
  EXPECT_EQ(floats(served.ask("/embed", {{"inputs", text}}).at(0)), fresh.encode_documents(std::vector{text}).values);
  EXPECT_NE(floats(before.at(0)), fresh.encode_documents(std::vector{text}).values);
}

TEST(App, StoppingUnderLoadLeavesNoAcceptedRequestWithoutAnAnswer) {
  for (int round = 0; round < 10; ++round) {
    Served served;
    constexpr int kClients = 8;
    // Nobody stops while a client's first request is on its way: the system accepts connections before the server does.
    std::atomic<int> unanswered = 0, answered = 0, known = 0;
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&, c] {
        try {
          HttpClient client(served.port());
          for (int i = 0;; ++i) {
            const bool sent = client.send(
                HttpClient::request("POST", "/embed", json{{"inputs", fmt::format("thing {} {}", c, i)}}.dump()));
            const Reply reply = client.reply();
            if (reply.status == 0) {
              // Closed between two requests: nothing of this one was read.
              if (i == 0 || !sent) ++unanswered;
              return;
            }
            ++answered;
            if (i == 0) ++known;
            if (reply.header("connection") == "close") return;
          }
        } catch (const std::runtime_error&) {  // cannot connect any more
        }
      });
    }
    while (answered < 20 || known < kClients) std::this_thread::yield();
    EXPECT_TRUE(served.app().stop());
    for (std::thread& client : clients) client.join();
    EXPECT_EQ(unanswered, 0);
  }
}

}  // namespace
}  // namespace sgpt::serve
