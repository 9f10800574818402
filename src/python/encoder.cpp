// Encoder and Tokenizer.
#include <array>
#include <chrono>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "encode/encoder_parts.h"
#include "python/bindings.h"
#include "sgpt/encode_call.h"
#include "sgpt/encoder.h"
#include "sgpt/tokenizer.h"

namespace sgpt::python {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kBetweenQuestions{0.05};  // to the interpreter: signals, progress

constexpr std::array kKinds{std::pair{"query", TextKind::query}, std::pair{"document", TextKind::document},
                            std::pair{"plain", TextKind::plain}};

EncodeCall call_from(const std::string& kind, const std::optional<std::string>& prompt,
                     std::optional<std::int64_t> max_seq_length) {
  EncodeCall call{.prompt = prompt, .max_seq_length = max_seq_length, .go_on = {}};
  for (const auto& [name, value] : kKinds) {
    if (kind == name) call.kind = value;
  }
  return call;
}

/// An array [rows, columns] that owns the vector.
py::array_t<float> array_of(std::vector<float> values, std::int64_t rows, std::int64_t columns) {
  if (values.empty()) return py::array_t<float>({rows, columns});
  auto owned = std::make_unique<std::vector<float>>(std::move(values));
  float* const data = owned->data();
  const py::capsule owner(owned.get(), [](void* vector) { delete static_cast<std::vector<float>*>(vector); });
  owned.release();  // NOLINT(bugprone-unused-return-value): the capsule has it
  return py::array_t<float>({rows, columns}, data, owner);
}

std::unique_ptr<Encoder> load(const std::filesystem::path& folder, const py::dict& given) {
  EncoderOptions options;
  take(given, "brackets", options.brackets);
  take(given, "causal", options.causal);
  take(given, "normalize", options.normalize);
  take(given, "max_seq_length", options.max_seq_length);
  take(given, "truncate_dim", options.truncate_dim);
  take(given, "threads", options.threads);
  take(given, "backend", options.backend);
  take(given, "trained", options.trained);
  take(given, "append_eos_token", options.append_eos_token);
  take(given, "token_budget", options.token_budget);
  for (const py::handle mode : given["pooling"]) {
    options.pooling.push_back(pooling_mode_from(mode.cast<std::string>()).value());
  }
  if (given.contains("dtype")) options.compute = compute_type_from(given["dtype"].cast<std::string>()).value();
  const py::gil_scoped_release computing;
  return std::make_unique<Encoder>(Encoder::load(folder, options));
}

/// (float32 [texts, dimension], the rows whose texts were cut)
py::tuple encode_texts(const Encoder& encoder, const py::object& texts, const std::string& kind,
                       const std::optional<std::string>& prompt, std::optional<std::int64_t> max_seq_length,
                       std::optional<std::int64_t> truncate_dim, std::optional<bool> normalize,
                       const py::object& on_texts) {
  EncodeCall call = call_from(kind, prompt, max_seq_length);
  call.truncate_dim = truncate_dim;
  call.normalize = normalize;
  KeptException kept;
  auto asked = std::chrono::steady_clock::now();
  call.go_on = [&](std::int64_t done) {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked < kBetweenQuestions) return true;
    asked = now;
    return kept.ask([&] {
      if (!on_texts.is_none()) on_texts(done);
    });
  };
  const std::vector<std::string> given = texts_from(texts);
  Embeddings e;
  {
    const py::gil_scoped_release computing;
    try {
      e = encode(encoder, given, call);
    } catch (const Stopped&) {
      if (!kept.any()) throw;
    }
  }
  kept.throw_on();
  const std::int64_t rows = e.rows, d = e.dimension;
  return py::make_tuple(array_of(std::move(e.values), rows, d), py::cast(e.cut));
}

std::vector<std::int32_t> ids_of(const Encoder& encoder, const py::object& text, const std::string& kind,
                                 const std::optional<std::string>& prompt, std::optional<std::int64_t> max_seq_length) {
  const std::string given = text_from(text, "the text");
  const EncodeCall call = call_from(kind, prompt, max_seq_length);
  const py::gil_scoped_release computing;
  return tokenize(encoder, given, call);
}

/// What the encoder settled on, and what its folder says.
py::dict settings(const Encoder& encoder) {
  const EncoderOptions& options = encoder.options();
  const ModelFolder& folder = encoder.parts().folder;
  const Prompts& prompts = folder.sentences.prompts;
  std::vector<std::string> pooling;
  for (const PoolingMode mode : options.pooling) pooling.emplace_back(name_of(mode));
  using py::operator""_a;
  return py::dict("pooling"_a = pooling, "brackets"_a = *options.brackets, "causal"_a = *options.causal,
                  "normalize"_a = *options.normalize, "max_seq_length"_a = *options.max_seq_length,
                  "positions"_a = folder.config.longest_text, "dtype"_a = std::string(name_of(*options.compute)),
                  "threads"_a = options.threads, "backend"_a = options.backend, "token_budget"_a = options.token_budget,
                  "prompts"_a = std::map<std::string, std::string>(prompts.by_name.begin(), prompts.by_name.end()),
                  "default_prompt_name"_a = prompts.default_name,
                  "similarity"_a = std::string(name_of(folder.sentences.similarity)),
                  "has_modules"_a = folder.has_modules);
}

void add_tokenizer(py::module_& m) {
  using py::arg;
  py::class_<Tokenizer>(m, "Tokenizer")
      .def(py::init([](const std::filesystem::path& path) {
             const py::gil_scoped_release reading;
             return Tokenizer::load(path);
           }),
           arg("path"))
      .def(
          "encode",
          [](const Tokenizer& tokenizer, const py::object& text, std::optional<std::size_t> max_tokens,
             bool special_tokens) {
            const std::string given = text_from(text, "the text");
            const std::size_t most = max_tokens.value_or(std::numeric_limits<std::size_t>::max());
            const py::gil_scoped_release computing;
            return special_tokens ? tokenizer.encode_with_special_tokens(given, most) : tokenizer.encode(given, most);
          },
          arg("text"), py::kw_only(), arg("max_tokens") = py::none(), arg("special_tokens") = false)
      .def(
          "decode",
          [](const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) { return tokenizer.decode(ids); },
          arg("ids"))
      .def(
          "token_to_id",
          [](const Tokenizer& tokenizer, const py::object& token) {
            return tokenizer.token_to_id(text_from(token, "the token"));
          },
          arg("token"))
      .def_property_readonly("vocab_size", &Tokenizer::vocab_size);
}

}  // namespace

void add_encoder(py::module_& m) {
  using py::arg;
  const py::none none;
  py::class_<Encoder>(m, "Encoder")
      .def(py::init(&load), arg("folder"), arg("options"))
      .def("encode", &encode_texts, arg("texts"), arg("kind"), py::kw_only(), arg("prompt") = none,
           arg("max_seq_length") = none, arg("truncate_dim") = none, arg("normalize") = none, arg("on_texts") = none)
      .def("tokenize", &ids_of, arg("text"), arg("kind"), py::kw_only(), arg("prompt") = none,
           arg("max_seq_length") = none)
      .def("tokenizer", [](const Encoder& encoder) { return encoder.parts().preparation.tokenizer(); })
      .def_property_readonly("dimension", &Encoder::dimension)
      .def_property_readonly("whole_dimension",
                             [](const Encoder& encoder) { return encoder.parts().head.whole_dimension(); })
      .def_property_readonly("folder", [](const Encoder& encoder) { return encoder.folder().string(); })
      .def_property_readonly("settings", &settings);
  add_tokenizer(m);
}

}  // namespace sgpt::python
