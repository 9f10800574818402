#include "text/regex.h"

#include <fmt/format.h>
#include <oniguruma.h>

#include <mutex>
#include <optional>

#include "sgpt/error.h"
#include "text/pattern.h"
#include "text/utf8.h"

namespace sgpt {

namespace {

const OnigUChar* onig(const char* text) { return reinterpret_cast<const OnigUChar*>(text); }

std::string reason(int code, OnigErrorInfo* info) {
  OnigUChar message[ONIG_MAX_ERROR_MESSAGE_LEN];
  const int length = info ? onig_error_code_to_str(message, code, info) : onig_error_code_to_str(message, code);
  return {reinterpret_cast<const char*>(message), static_cast<std::size_t>(length > 0 ? length : 0)};
}

/// Sets the engine up, once; safe to call from several threads.
void initialize_regex() {
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    if (onig_initialize(encodings, 1) != ONIG_NORMAL) {
      throw MachineError("The regular-expression engine Oniguruma could not be set up.");
    }
  });
}

}  // namespace

struct Regex::Impl {
  OnigRegex compiled = nullptr;
  std::string pattern;

  ~Impl() { onig_free(compiled); }
};

Regex::Regex(std::string_view pattern) : impl_(std::make_unique<Impl>()) {
  initialize_regex();
  impl_->pattern = pattern;
  const std::string own = with_own_classes(pattern);
  OnigErrorInfo info{};
  const int code = onig_new(&impl_->compiled, onig(own.data()), onig(own.data() + own.size()), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (code != ONIG_NORMAL) {
    impl_->compiled = nullptr;
    throw UserError(fmt::format("the regular expression \"{}\" is malformed: {}", pattern, reason(code, &info)));
  }
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

void Regex::for_each_match(std::string_view text, FunctionRef<bool(std::size_t, std::size_t)> visit) const {
  const std::unique_ptr<OnigRegion, void (*)(OnigRegion*)> region(onig_region_new(),
                                                                  [](OnigRegion* r) { onig_region_free(r, 1); });
  if (!region) throw std::bad_alloc();
  const OnigUChar* begin = onig(text.data());
  const OnigUChar* end = begin + text.size();
  std::optional<std::size_t> last_match_end;
  for (std::size_t from = 0; from <= text.size();) {
    const int found = onig_search(impl_->compiled, begin, end, begin + from, end, region.get(), ONIG_OPTION_NONE);
    if (found == ONIG_MISMATCH) return;
    if (found < 0) {
      throw UserError(fmt::format("the regular expression \"{}\" failed on a text of {} bytes: {}", impl_->pattern,
                                  text.size(), reason(found, nullptr)));
    }
    const auto first = static_cast<std::size_t>(region->beg[0]);
    const auto last = static_cast<std::size_t>(region->end[0]);
    if (first == last && last_match_end == last) {  // the empty match behind a match: step over one character
      from += from < text.size() ? utf8_length(static_cast<unsigned char>(text[from])) : 1;
      continue;
    }
    from = last;
    last_match_end = last;
    if (!visit(first, last)) return;
  }
}

std::string escaped_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$#&-~").find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

}  // namespace sgpt
