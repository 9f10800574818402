// A model and the lanes that compute with it: what a reload exchanges as one.
#pragma once

#include <memory>

#include "serve/lanes.h"
#include "serve/serve_options.h"
#include "serve/served_model.h"

namespace sgpt::serve {

/// So many lanes and threads for each: one lane up to eight cores, then one for every eight, eight at most.
struct LanePlan {
  int lanes = 1, threads = 1;
};
LanePlan plan_lanes(int wanted_lanes, int threads);

struct Serving {
  /// Loads and measures. Throws as Encoder::load, and MachineError where there is no memory for all lanes at work.
  explicit Serving(const ServeOptions& options);

  LanePlan plan;
  ServedModel model;
  BatchPlan batches;
  Lanes lanes;
};

}  // namespace sgpt::serve
