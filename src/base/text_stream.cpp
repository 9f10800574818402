#include "base/text_stream.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kReadSize = std::size_t{1} << 20;
constexpr std::string_view kSpace = " \t\n\v\f\r";

struct Mark {
  std::string_view bytes;
  std::string_view encoding;
};
/// UTF-32's little-endian mark begins with UTF-16's.
constexpr std::array kMarks{Mark{"\xef\xbb\xbf"sv, "UTF-8"}, Mark{"\xff\xfe\0\0"sv, "UTF-32"},
                            Mark{"\0\0\xfe\xff"sv, "UTF-32"}, Mark{"\xff\xfe"sv, "UTF-16"},
                            Mark{"\xfe\xff"sv, "UTF-16"}};

bool may_become_a_mark(std::string_view text) {
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](const Mark& mark) { return text.size() < mark.bytes.size() && mark.bytes.starts_with(text); });
}

}  // namespace

std::size_t mark_length(std::string_view text, std::string_view name) {
  for (const Mark& mark : kMarks) {
    if (!text.starts_with(mark.bytes)) continue;
    if (mark.encoding == "UTF-8") return mark.bytes.size();
    throw UserError(
        fmt::format("{}: begins with the byte order mark of {}; expected UTF-8: convert it first (iconv -f "
                    "{} -t UTF-8)",
                    name, mark.encoding, mark.encoding));
  }
  return 0;
}

bool TextStream::fill() {
  if (ended_) return false;
  buffer_.erase(0, begin_);
  erased_ += begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kReadSize);
  const std::size_t got = source_.read(std::as_writable_bytes(std::span(buffer_).subspan(size)));
  buffer_.resize(size + got);
  ended_ = got == 0;
  return !ended_;
}

bool TextStream::read_more() {
  const bool more = fill();
  if (begun_) return more;
  begun_ = true;
  while (may_become_a_mark(buffer_) && fill()) {
  }
  begin_ = mark_length(buffer_, name());
  return more;
}

std::optional<std::size_t> TextStream::find_character(std::size_t from) {
  for (;;) {
    const std::size_t found = ahead().find_first_not_of(kSpace, from);
    if (found != std::string_view::npos) return found;
    from = ahead().size();
    if (!read_more()) return std::nullopt;
  }
}

}  // namespace sgpt
