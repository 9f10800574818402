#include "serve/openai.h"

#include <fmt/format.h>

#include "base/json_string.h"

namespace sgpt::serve::openai {

EmbedRequest read_embeddings(std::shared_ptr<const JsonBody> body, const InputRules& rules) {
  const Fields fields(body->root(), "");
  EmbedRequest request{std::move(body)};
  const auto input = fields.find("input");
  if (!input) throw Failure{Kind::validation, "input: missing", "input"};
  request.inputs = read_inputs(*input, "input", rules);
  request.model = fields.text("model").value_or("");
  request.kind = read_kind(fields);
  request.base64 = fields.word("encoding_format", {"float", "base64"}) == "base64";
  request.dimensions = read_dimensions(fields, "dimensions");
  if (!request.dimensions) request.dimensions = read_dimensions(fields, "output_dimension");
  request.truncate = fields.flag("truncation");
  fields.word("output_dtype", {"float"});
  return request;
}

std::string embeddings(const EmbedRequest& request, const EmbedAnswer& answer, const std::string& model) {
  std::string json = R"({"object":"list","data":[)";
  for (std::int64_t i = 0; i < answer.rows; ++i) {
    json += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i > 0 ? "," : "", i);
    request.base64 ? append_base64(json, answer.row(i)) : append_numbers(json, answer.row(i));
    json += '}';
  }
  return json + fmt::format(R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})", json_quoted(model),
                            answer.tokens, answer.tokens);
}

}  // namespace sgpt::serve::openai
