// What a server is told. Names as on the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "serve/admission.h"
#include "serve/http_server.h"
#include "sgpt/encoder.h"

namespace sgpt::serve {

struct ServeOptions {
  std::filesystem::path model = {};
  EncoderOptions encoder = {};
  HttpOptions http = {};
  std::vector<std::string> keys = {};          ///< any of them opens; empty: no key is asked for
  std::vector<std::string> cors_origins = {};  ///< "*" or addresses
  std::string served_model_name = {};          ///< "": the folder's
  bool json_log = false;
  bool access_log = true;
  std::size_t max_concurrent_requests = 512;
  std::size_t max_client_batch_size = 2048;
  std::int64_t max_batch_tokens = 0;  ///< 0: as many as a quarter of a second allows
  AdmissionLimits admission = {};
  bool auto_truncate = true;
  bool accept_token_ids = false;
  TextKind default_kind = TextKind::document;
  bool default_kind_chosen = false;  ///< somebody said it
  std::size_t cache_bytes = 64'000'000;
  int lanes = 0;  ///< 0: one for every eight cores
  std::chrono::milliseconds shutdown_delay{0};
  std::chrono::milliseconds grace{30000};
};

}  // namespace sgpt::serve
