#include <cstddef>

#include <fmt/format.h>

#include "python/bindings.h"

namespace sgpt::python {
namespace {

bool is_ascii(py::handle text) { return PyUnicode_Check(text.ptr()) && PyUnicode_IS_COMPACT_ASCII(text.ptr()); }

}  // namespace

std::string text_from(py::handle text, const std::string& what) {
  if (is_ascii(text)) {
    return {static_cast<const char*>(PyUnicode_DATA(text.ptr())),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(text.ptr()))};
  }
  if (PyUnicode_Check(text.ptr())) {
    // Not PyUnicode_AsUTF8: it would leave its bytes with the caller's object.
    const auto utf8 = py::reinterpret_steal<py::bytes>(PyUnicode_AsUTF8String(text.ptr()));
    if (utf8) return utf8;
    PyErr_Clear();
  }
  py::module_::import("sgpt._texts").attr("refuse_text")(text, what);
  return {};
}

std::vector<std::string> texts_from(const py::object& texts) {
  const auto list = py::reinterpret_steal<py::object>(PySequence_Fast(texts.ptr(), "expected a list of str"));
  if (!list) throw py::error_already_set();
  std::vector<std::string> result;
  result.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(list.ptr())));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.ptr()); ++i) {
    const py::handle text = PySequence_Fast_GET_ITEM(list.ptr(), i);
    // The place is put into words only where it may be needed.
    result.push_back(text_from(text, is_ascii(text) ? std::string() : fmt::format("text {}", i)));
  }
  return result;
}

}  // namespace sgpt::python
