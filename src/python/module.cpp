// The module sgpt._sgpt: errors, log lines, models by their names.
#include <filesystem>
#include <new>
#include <optional>
#include <utility>

#include "hub/hub.h"
#include "python/bindings.h"
#include "sgpt/error.h"
#include "sgpt/messages.h"

namespace sgpt::python {
namespace {

/// Calls Python code from a sink, which must not throw. An interrupt that surfaced there is raised again where it can
/// be.
template <class Call>
void call_quietly(const Call& call) {
  if (Py_IsInitialized() == 0) return;
  const py::gil_scoped_acquire interpreter;
  try {
    call();
  } catch (py::error_already_set& error) {
    if (error.matches(PyExc_KeyboardInterrupt)) {
      PyErr_SetInterrupt();
    } else {
      error.discard_as_unraisable("sgpt: telling a line");
    }
  }
}

/// Kept by a pointer that is never deleted: C++ may drop a sink when the interpreter is gone.
py::object* keep(const py::object& function) { return new py::object(function); }

void send_messages_to(const py::object& function) {
  if (function.is_none()) return set_message_sink({});
  set_message_sink([kept = keep(function)](MessageLevel level, std::string_view line) {
    call_quietly([&] { (*kept)(level == MessageLevel::warning, py::str(line.data(), line.size())); });
  });
}

void send_progress_to(const py::object& function) {
  if (function.is_none()) return set_progress_sink({});
  set_progress_sink([kept = keep(function)](const ProgressReport& report) {
    call_quietly([&] {
      (*kept)(py::str(report.title.data(), report.title.size()), py::str(report.unit.data(), report.unit.size()),
              report.done, report.total, py::str(report.note.data(), report.note.size()), report.last);
    });
  });
}

std::string resolve(const std::string& name, const std::optional<std::filesystem::path>& cache,
                    const std::optional<std::string>& token, std::optional<bool> offline, bool update) {
  HubOptions options = hub_options_from_environment();
  if (cache) options.cache = *cache;
  if (token) options.token = *token;
  if (offline) options.offline = *offline;
  options.update = update;
  const py::gil_scoped_release fetching;
  return resolve_model(name, options).string();
}

}  // namespace

PYBIND11_MODULE(_sgpt, m) {  // NOLINT(readability-identifier-naming): the name of the module
  using py::arg;
  m.doc() = "The compiled part of sgpt; the package sgpt is what programs use.";
  m.attr("version") = SGPT_VERSION;
  py::module_::import("numpy");  // not at the first array, where a waiting interrupt would end it half imported
  py::register_exception<UserError>(m, "UserError", PyExc_ValueError);
  static const py::handle machine_error = py::register_exception<MachineError>(m, "MachineError", PyExc_RuntimeError);
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(std::move(error));
    } catch (const std::bad_alloc&) {
      PyErr_SetString(machine_error.ptr(), "there is not enough memory");
    } catch (const std::filesystem::filesystem_error& failure) {
      PyErr_SetString(machine_error.ptr(), failure.what());
    }
  });
  add_encoder(m);
  add_search(m);
  add_training(m);
  m.def("send_messages_to", &send_messages_to, arg("function"));
  m.def("send_progress_to", &send_progress_to, arg("function"));
  m.def("resolve_model", &resolve, arg("name"), py::kw_only(), arg("cache") = py::none(), arg("token") = py::none(),
        arg("offline") = py::none(), arg("update") = false);
}

}  // namespace sgpt::python
