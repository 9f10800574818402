#include "serve/ollama.h"

#include <fmt/format.h>

#include "base/json_string.h"

namespace sgpt::serve::ollama {

EmbedRequest read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules, bool old) {
  const Fields fields(body->root(), "");
  EmbedRequest request{std::move(body)};
  const char* field = old ? "prompt" : "input";
  const auto input = fields.find(field);
  if (!input) throw Failure{Kind::validation, fmt::format("{}: missing", field), field};
  if (old && !input->is_string()) fail_field(field, "a text", name_of_type(*input));
  InputRules only = rules;
  only.ids_refused = "expected texts, found token ids";
  request.inputs = read_inputs(*input, field, only);
  request.model = fields.text("model").value_or("");
  request.truncate = fields.flag("truncate");
  request.kind = read_kind(fields);
  request.dimensions = read_dimensions(fields, "dimensions");
  return request;
}

std::string embeddings(const EmbedAnswer& answer, const std::string& model, std::int64_t nanoseconds) {
  std::string json = fmt::format(R"({{"model":{},"embeddings":[)", json_quoted(model));
  for (std::int64_t i = 0; i < answer.rows; ++i) {
    if (i > 0) json += ',';
    append_numbers(json, answer.row(i));
  }
  return json +
         fmt::format(R"(],"total_duration":{},"load_duration":0,"prompt_eval_count":{}}})", nanoseconds, answer.tokens);
}

std::string one_embedding(const EmbedAnswer& answer) {
  std::string json = R"({"embedding":)";
  append_numbers(json, answer.row(0));
  return json + "}";
}

std::string tags(const std::vector<std::string>& names, const std::string& dtype) {
  std::string json = R"({"models":[)";
  for (const std::string& name : names) {
    if (json.back() != '[') json += ',';
    json += fmt::format(R"({{"name":{0},"model":{0},"details":{{"format":"safetensors","quantization_level":"{1}"}}}})",
                        json_quoted(name), dtype);
  }
  return json + "]}";
}

}  // namespace sgpt::serve::ollama
