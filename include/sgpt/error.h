// The two kinds of failure that sgpt reports, each with one full sentence: what file and place, what was expected,
// what was found, what to do.
#pragma once

#include <stdexcept>

namespace sgpt {

/// The base of everything that sgpt throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user's mistake: a wrong option, a broken or missing input. The program ends with status 2.
class UserError : public Error {
 public:
  using Error::Error;
};

/// A failure of the machine: a full disk, a failed read, no memory. The program ends with status 1.
class MachineError : public Error {
 public:
  using Error::Error;
};

/// A file that sgpt reads where it lies on the disk (a model, a corpus, a cache) and that another program cuts
/// meanwhile ends the process with SIGBUS, without a word. After this call it ends with one sentence on stderr that
/// names the file, and with status 1; any other SIGBUS goes to the handler that was there before. For programs, as sgpt
/// itself; the library never calls it.
void explain_bus_errors();

}  // namespace sgpt
