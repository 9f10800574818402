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

}  // namespace sgpt
