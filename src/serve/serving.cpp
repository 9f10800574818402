#include "serve/serving.h"

#include <omp.h>

#include <algorithm>

#include <fmt/format.h>

#include "encode/encoder_parts.h"
#include "model/layer_plan.h"
#include "model/memory_plan.h"

namespace sgpt::serve {
namespace {

constexpr int kCoresALane = 8, kMostLanes = 8;

/// The weights are there already; a batch in each lane, the cache and bodies come on top.
BatchPlan fitting(const ServedModel& model, const ServeOptions& options, const LanePlan& lanes) {
  const std::int64_t wanted = options.max_batch_tokens;
  const Encoder::Parts& parts = model.encoder().parts();
  const auto needed = [&](std::int64_t tokens) {
    return static_cast<std::uint64_t>(lanes.lanes) *
               forward_working_bytes(layer_plan(parts.folder.config, parts.backend->activation_type()), tokens) +
           options.cache_bytes + options.http.limits.bodies / 4;
  };
  const std::int64_t least = std::max(wanted, model.longest());
  require_memory(fmt::format("serving with {} lanes and batches of {} tokens", lanes.lanes, least), needed(least),
                 "use a smaller --max_batch_tokens, --max_seq_length or --cache, or fewer --lanes");
  const BatchPlan plan = model.measure(wanted);
  require_memory(fmt::format("serving with {} lanes and batches of {} tokens", lanes.lanes, plan.batch_tokens),
                 needed(plan.batch_tokens), "use a smaller --max_batch_tokens or --cache, or fewer --lanes");
  return plan;
}

}  // namespace

LanePlan plan_lanes(int wanted_lanes, int threads) {
  const int cores = threads > 0 ? threads : omp_get_max_threads();
  const int lanes = wanted_lanes > 0 ? wanted_lanes : std::clamp(cores / kCoresALane, 1, kMostLanes);
  return {lanes, std::max(1, cores / lanes)};
}

Serving::Serving(const ServeOptions& options)
    : plan(plan_lanes(options.lanes, options.encoder.threads)),
      model(options.model, options.encoder, options.served_model_name, plan.threads),
      batches(fitting(model, options, plan)),
      lanes([this](std::span<const Input* const> inputs) { return model.compute(inputs); },
            {.lanes = plan.lanes,
             .batch_tokens = batches.batch_tokens,
             .tokens_a_second = batches.tokens_a_second,
             .cache_bytes = options.cache_bytes,
             .admission = options.admission}) {}

}  // namespace sgpt::serve
