#include "serve/tei.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/json_string.h"

namespace sgpt::serve::tei {
namespace {

void read_truncation(const Fields& fields, EmbedRequest& request) {
  request.truncate = fields.flag("truncate");
  const auto direction = fields.word("truncation_direction", {"left", "right"});
  if (direction) request.cut = *direction == "left" ? CutEnd::left : CutEnd::right;
}

simdjson::dom::element required(const Fields& fields, std::string_view field) {
  if (const auto found = fields.find(field)) return *found;
  throw Failure{Kind::validation, fmt::format("{}: missing", fields.named(field)), fields.named(field)};
}

/// One text alone.
Inputs one_text(const Fields& fields, std::string_view field) {
  Inputs inputs{fields.named(field), false};
  std::string_view text;
  const auto element = required(fields, field);
  if (element.get(text)) fail_field(inputs.field, "a text", name_of_type(element));
  inputs.texts.push_back(text);
  return inputs;
}

InputRules texts_only(InputRules rules) {
  rules.ids_refused = "expected texts, found token ids";
  return rules;
}

}  // namespace

EmbedRequest read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules) {
  const Fields fields(body->root(), "");
  EmbedRequest request{std::move(body)};
  request.inputs = read_inputs(required(fields, "inputs"), "inputs", rules);
  read_truncation(fields, request);
  request.kind = read_kind(fields);
  request.model = fields.text("model").value_or("");
  request.normalize = fields.flag("normalize").value_or(true);
  request.dimensions = read_dimensions(fields, "dimensions");
  request.base64 = fields.word("encoding_format", {"float", "base64"}) == "base64";
  return request;
}

std::string embeddings(const EmbedRequest& request, const EmbedAnswer& answer) {
  std::string json = "[";
  for (std::int64_t i = 0; i < answer.rows; ++i) {
    if (i > 0) json += ',';
    request.base64 ? append_base64(json, answer.row(i)) : append_numbers(json, answer.row(i));
  }
  return json + "]";
}

bool is_similarity(const JsonBody& body) {
  simdjson::dom::element inputs;
  return !body.root()["inputs"].get(inputs) && inputs.is_object();
}

SimilarityRequest read_similarity(std::shared_ptr<const JsonBody> body, const InputRules& rules) {
  const Fields fields(body->root(), "");
  const Fields inputs(required(fields, "inputs"), "inputs");
  SimilarityRequest request{{body}, {body}};
  request.source.inputs = one_text(inputs, "source_sentence");
  request.sentences.inputs = read_inputs(required(inputs, "sentences"), "inputs.sentences", texts_only(rules));
  std::optional<TextKind> kind = read_kind(fields);
  if (const auto parameters = fields.find("parameters")) {
    const Fields given(*parameters, "parameters");
    read_truncation(given, request.source);
    request.sentences.truncate = request.source.truncate;
    request.sentences.cut = request.source.cut;
    if (const auto said = read_kind(given)) kind = said;
  }
  request.source.model = request.sentences.model = fields.text("model").value_or("");
  request.source.kind = kind.value_or(TextKind::query);
  request.sentences.kind = kind.value_or(TextKind::document);
  return request;
}

RerankRequest read_rerank(std::shared_ptr<const JsonBody> body, const InputRules& rules) {
  const Fields fields(body->root(), "");
  RerankRequest request{{body}, {body}};
  request.query.inputs = one_text(fields, "query");
  request.cohere = fields.find("documents").has_value();
  const char* field = request.cohere ? "documents" : "texts";
  request.documents.inputs = read_inputs(required(fields, field), field, texts_only(rules));
  if (request.cohere) {
    request.top_n = fields.whole("top_n");
    if (request.top_n && *request.top_n < 1) fail_field("top_n", "a positive number", std::to_string(*request.top_n));
    request.return_texts = fields.flag("return_documents").value_or(false);
  } else {
    request.return_texts = fields.flag("return_text").value_or(false);
    fields.flag("raw_scores");  // a cosine has no other form, and is what both answers are
    read_truncation(fields, request.query);
    request.documents.truncate = request.query.truncate;
    request.documents.cut = request.query.cut;
  }
  request.query.model = request.documents.model = fields.text("model").value_or("");
  request.query.kind = TextKind::query;
  request.documents.kind = TextKind::document;
  return request;
}

std::string ranking(const RerankRequest& request, std::span<const float> scores, const std::string& id) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  if (request.top_n) order.resize(std::min(order.size(), static_cast<std::size_t>(*request.top_n)));
  std::string json = request.cohere ? fmt::format(R"({{"id":{},"results":[)", json_quoted(id)) : "[";
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t index = order[i];
    const std::string number = numbers(scores.subspan(index, 1));
    const std::string_view score = std::string_view(number).substr(1, number.size() - 2);
    const std::string_view text = request.documents.inputs.texts[index];
    json += fmt::format(R"({}{{"index":{},"{}":{})", i > 0 ? "," : "", index,
                        request.cohere ? "relevance_score" : "score", score);
    if (request.return_texts && request.cohere) json += fmt::format(R"(,"document":{{"text":{}}})", json_quoted(text));
    if (request.return_texts && !request.cohere) json += fmt::format(R"(,"text":{})", json_quoted(text));
    json += '}';
  }
  return json + (request.cohere ? "]}" : "]");
}

std::vector<float> products(const EmbedAnswer& one, const EmbedAnswer& others) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < others.rows; ++i) {
    const auto a = one.row(0), b = others.row(i);
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
    result.push_back(static_cast<float>(sum));
  }
  return result;
}

std::string numbers(std::span<const float> values) {
  std::string json;
  append_numbers(json, values);
  return json;
}

}  // namespace sgpt::serve::tei
