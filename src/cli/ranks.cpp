#include "cli/ranks.h"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/model_option.h"
#include "encode/compute_choice.h"
#include "encode/encoder_parts.h"
#include "model/model_folder.h"
#include "ranks/join_ranks.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

[[noreturn]] void end_all(Communicator& ranks, int status, std::string_view reason) {
  // What all ranks find wrong (an option, a missing file) is said by rank 0 alone: it ends the others meanwhile.
  if (!ranks.first()) std::this_thread::sleep_for(std::chrono::seconds(1));
  log::info(fmt::format("sgpt: rank {} of {}: {}", ranks.rank(), ranks.size(), reason));
  ranks.abort(status);
  std::_Exit(status);
}

}  // namespace

void with_ranks(const std::function<void(Communicator&)>& work) {
  const std::unique_ptr<Communicator> ranks = join_ranks();
  if (ranks->alone()) return work(*ranks);
  try {
    work(*ranks);
  } catch (const Ended&) {
    throw;  // on all ranks alike
  } catch (const UserError& error) {
    end_all(*ranks, 2, error.what());
  } catch (const std::bad_alloc&) {
    end_all(*ranks, 1, "out of memory: use a smaller batch or fewer ranks on a machine");
  } catch (const std::exception& error) {
    end_all(*ranks, 1, error.what());
  }
}

int default_threads(const Communicator& ranks) {
  if (ranks.alone() || std::getenv("OMP_NUM_THREADS")) return 0;
  return threads_a_process(ranks.local_size());
}

std::filesystem::path model_folder(const std::filesystem::path& model, Communicator& ranks) {
  if (ranks.first()) model_folder(model);
  ranks.barrier();
  return model_folder(model);
}

std::filesystem::path model_folder(const std::filesystem::path& model, std::filesystem::path& adapter,
                                   Communicator& ranks) {
  if (ranks.first()) {
    std::filesystem::path unused = adapter;
    model_folder(model, unused);
  }
  ranks.barrier();
  return model_folder(model, adapter);
}

Encoder load_encoder(const std::filesystem::path& folder, EncoderOptions options, Communicator& ranks,
                     const RecordedType& recorded) {
  if (options.threads == 0) options.threads = default_threads(ranks);
  // Said aloud, brackets and pooling need no word about a folder that does not know them.
  if (!ranks.first() && !options.brackets)
    options.brackets = read_model_folder(folder, options.adapter).brackets.value_or(false);
  if (!ranks.first() && options.pooling.empty()) options.pooling = read_model_folder(folder, options.adapter).pooling;
  const bool automatic = options.compute == ComputeType::automatic;
  if (!ranks.alone() && automatic) options.compute = common_compute_type(folder, options, ranks);
  std::optional<Encoder> encoder = Encoder::load(folder, options);
  const ComputeType measured = *encoder->options().compute;
  if (!automatic || !recorded) return std::move(*encoder);
  const ComputeType there = ranks.first() ? recorded(*encoder).value_or(measured) : measured;
  options.compute = agree_on_compute_type(there, *encoder->parts().backend, ranks);
  if (options.compute == measured) return std::move(*encoder);
  if (ranks.first()) {
    log::info(fmt::format("computing in {}, as the embeddings that are there were", name_of(*options.compute)));
  }
  options.brackets = encoder->options().brackets;  // whatever the folder says of them was told
  encoder.reset();                                 // its memory, before the other takes some
  return Encoder::load(folder, options);
}

}  // namespace sgpt::cli
