// A variable of the environment, set while this lives.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace sgpt::testing {

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~EnvironmentVariable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// What `--dtype auto` measures: that bf16 is clearly faster, or that it is not.
struct FastBf16 : EnvironmentVariable {
  FastBf16() : EnvironmentVariable("SGPT_CPU_BF16_GAIN", "1.8") {}
};
struct SlowBf16 : EnvironmentVariable {
  SlowBf16() : EnvironmentVariable("SGPT_CPU_BF16_GAIN", "0.6") {}
};

}  // namespace sgpt::testing
