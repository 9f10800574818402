#include "serve/metrics.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include <fmt/format.h>

namespace sgpt::serve {
namespace {

template <class Value>
void write(std::string& text, std::string_view name, std::string_view type, Value value, std::string_view labels = {}) {
  if (labels.empty() || text.find(fmt::format("# TYPE {} ", name)) == std::string::npos) {
    text += fmt::format("# TYPE {} {}\n", name, type);
  }
  text += fmt::format("{}{} {}\n", name, labels, value);
}

std::string label(std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return fmt::format("{}=\"{}\"", name, escaped);
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void Histogram::observe(double value) {
  std::size_t bucket = 0;
  for (double bound = first_; bucket < kBounds && value > bound; bound *= 2) ++bucket;
  ++counts_[bucket];
  sum_.fetch_add(value);
}

void Histogram::write(std::string& text, std::string_view name) const {
  text += fmt::format("# TYPE {} histogram\n", name);
  std::uint64_t below = 0;
  double bound = first_;
  for (std::size_t i = 0; i < kBounds; ++i, bound *= 2) {
    below += counts_[i];
    text += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, bound, below);
  }
  below += counts_[kBounds];
  text += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, below, sum_.load());
}

void Metrics::failed(std::string_view kind) {
  const std::lock_guard lock(mutex_);
  ++failures_[std::string(kind)];
}

std::string Metrics::text(const WorkState& work, const ConnectionCounts& connections, const std::string& model,
                          const std::string& dtype) const {
  std::string text;
  write(text, "te_request_count", "counter", requests.load());
  write(text, "te_request_success", "counter", successes.load());
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [kind, count] : failures_) {
      write(text, "te_request_failure", "counter", count, fmt::format("{{{}}}", label("err", kind)));
    }
  }
  duration.write(text, "te_request_duration");
  tokenization.write(text, "te_request_tokenization_duration");
  queue.write(text, "te_request_queue_duration");
  inference.write(text, "te_request_inference_duration");
  input_length.write(text, "te_request_input_length");
  write(text, "te_embed_count", "counter", embeds.load());
  write(text, "te_embed_success", "counter", embed_successes.load());
  write(text, "te_batch_next_size", "gauge", work.last_batch_size);
  write(text, "te_batch_next_tokens", "gauge", work.last_batch_tokens);
  write(text, "te_queue_size", "gauge", work.entries);
  write(text, "sgpt_queue_tokens", "gauge", work.waiting_tokens[0], R"({class="interactive"})");
  write(text, "sgpt_queue_tokens", "gauge", work.waiting_tokens[1], R"({class="bulk"})");
  write(text, "sgpt_expected_wait_seconds", "gauge", work.expected_wait[0], R"({class="interactive"})");
  write(text, "sgpt_expected_wait_seconds", "gauge", work.expected_wait[1], R"({class="bulk"})");
  write(text, "sgpt_tokens_a_second", "gauge", work.tokens_a_second);
  write(text, "sgpt_truncated_total", "counter", truncated.load());
  write(text, "sgpt_default_kind_total", "counter", default_kinds.load());
  write(text, "sgpt_cache_hits", "counter", work.cache_hits);
  write(text, "sgpt_cache_misses", "counter", work.cache_misses);
  write(text, "sgpt_cache_bytes", "gauge", work.cache_bytes);
  write(text, "sgpt_cancelled_total", "counter", work.cancelled, R"({why="closed"})");
  write(text, "sgpt_cancelled_total", "counter", work.expired, R"({why="deadline"})");
  write(text, "sgpt_connections", "gauge", connections.busy, R"({state="busy"})");
  write(text, "sgpt_connections", "gauge", connections.open - connections.busy, R"({state="idle"})");
  write(text, "sgpt_tokens_total", "counter", work.tokens, fmt::format("{{{}}}", label("model", model)));
  write(text, "sgpt_model_info", "gauge", 1, fmt::format("{{{},{}}}", label("model", model), label("dtype", dtype)));
  write(text, "sgpt_reloads_total", "counter", reloads_done.load(), R"({result="done"})");
  write(text, "sgpt_reloads_total", "counter", reloads_failed.load(), R"({result="failed"})");
  write(text, "process_resident_memory_bytes", "gauge", resident_bytes());
  return text;
}

}  // namespace sgpt::serve
