// The module sgpt._sgpt is thin: it converts, lets go of the interpreter while sgpt works, and hands vectors over
// without a copy. Names, defaults, checks of what was given and their sentences are the Python package's (python/sgpt).
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "sgpt/metrics.h"

namespace sgpt::python {

namespace py = pybind11;

/// UTF-8 of a list or tuple of str. Throws UserError that names the place, counted from 0, of what is something else.
std::vector<std::string> texts_from(const py::object& texts);

/// Of one str. The error begins with `what`.
std::string text_from(py::handle text, const std::string& what);

/// {"NDCG@1": …}
py::dict named(const MetricTable& values, const std::vector<int>& cutoffs);

/// Sets what a dict has under that name.
template <class Value>
void take(const py::dict& given, const char* name, Value& value) {
  if (given.contains(name)) value = given[name].cast<Value>();
}

/// What Python code threw while sgpt was at work, kept until sgpt has ended it in an orderly way.
class KeptException {
 public:
  /// Looks for signals, then calls `work`; false when either has thrown, now or before. The interpreter is taken for
  /// it.
  template <class Work>
  bool ask(const Work& work) {
    if (kept_) return false;
    const py::gil_scoped_acquire interpreter;
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      work();
    } catch (...) {
      kept_ = std::current_exception();
    }
    return !kept_;
  }
  bool any() const { return kept_ != nullptr; }
  void throw_on() const {
    if (kept_) std::rethrow_exception(kept_);
  }

 private:
  std::exception_ptr kept_;
};

void add_encoder(py::module_& m);
void add_search(py::module_& m);
void add_training(py::module_& m);

}  // namespace sgpt::python
