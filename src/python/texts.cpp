#include <cstddef>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "python/bindings.h"
#include "sgpt/error.h"

namespace sgpt::python {
namespace {

constexpr std::size_t kMostShown = 60;  // bytes of something that is no text

[[noreturn]] void refuse(py::handle text, const std::string& what) {
  if (text.is_none()) throw UserError(what + " is None; expected str");
  std::string shown = py::repr(text);
  if (shown.size() > kMostShown) shown = shown.substr(0, kMostShown) + "…";
  throw UserError(fmt::format("{} is {} ({}); expected str", what, shown, Py_TYPE(text.ptr())->tp_name));
}

}  // namespace

std::string text_from(py::handle text, const std::string& what) {
  if (!PyUnicode_Check(text.ptr())) refuse(text, what);
  if (PyUnicode_IS_COMPACT_ASCII(text.ptr())) {
    return {static_cast<const char*>(PyUnicode_DATA(text.ptr())),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(text.ptr()))};
  }
  // Not PyUnicode_AsUTF8: it would leave its bytes with the caller's object.
  const auto utf8 = py::reinterpret_steal<py::bytes>(PyUnicode_AsUTF8String(text.ptr()));
  if (utf8) return utf8;
  PyErr_Clear();
  throw UserError(what +
                  " has half of a surrogate pair alone ('\\ud800' to '\\udfff'), which is no character; expected "
                  "str that UTF-8 can hold");
}

std::vector<std::string> texts_from(const py::object& texts) {
  const auto list = py::reinterpret_steal<py::object>(PySequence_Fast(texts.ptr(), "expected a list of str"));
  if (!list) throw py::error_already_set();
  const auto count = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(list.ptr()));
  std::vector<std::string> result;
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const py::handle text = PySequence_Fast_GET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i));
    // The place is put into words only where it is needed.
    const bool plain = PyUnicode_Check(text.ptr()) && PyUnicode_IS_COMPACT_ASCII(text.ptr());
    result.push_back(text_from(text, plain ? std::string() : fmt::format("text {}", i)));
  }
  return result;
}

py::array_t<float> array_of(std::vector<float> values, std::int64_t rows, std::int64_t columns) {
  if (values.empty()) return py::array_t<float>({rows, columns});
  auto owned = std::make_unique<std::vector<float>>(std::move(values));
  float* const data = owned->data();
  const py::capsule owner(owned.get(), [](void* vector) { delete static_cast<std::vector<float>*>(vector); });
  owned.release();  // NOLINT(bugprone-unused-return-value): the capsule has it
  return py::array_t<float>({rows, columns}, data, owner);
}

}  // namespace sgpt::python
