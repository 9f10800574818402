// Memory that kernels compute in, kept from one operation to the next: a set of growing buffers for each thread at
// work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/fork.h"
#include "tensor/memory.h"

namespace sgpt::cpu {

/// One thread's buffers, by slot; a kernel names its slots with an enumeration of its own.
class Workspace {
 public:
  /// `count` floats (or bytes), aligned to 64, content undefined. Valid until the slot is asked for again.
  float* floats(std::size_t slot, std::int64_t count) {
    return static_cast<float*>(bytes(slot, static_cast<std::size_t>(count) * sizeof(float)));
  }
  void* bytes(std::size_t slot, std::size_t count) {
    Buffer& buffer = slots_.at(slot);
    if (buffer.bytes() < count || !buffer.data()) {
      buffer = Buffer();  // released first, so that the old and the new never lie side by side
      buffer = Buffer(host_memory(), count + count / 4);
    }
    return buffer.data();
  }

 private:
  std::array<Buffer, 12> slots_;
};

/// Lends workspaces. Thread-safe.
class WorkspacePool {
 public:
  class Lease {
   public:
    Lease(WorkspacePool& pool, std::unique_ptr<Workspace> workspace) : pool_(&pool), workspace_(std::move(workspace)) {}
    Lease(Lease&&) = default;
    ~Lease() {
      if (workspace_) pool_->give_back(std::move(workspace_));
    }
    Workspace& operator*() const { return *workspace_; }
    Workspace* operator->() const { return workspace_.get(); }

   private:
    WorkspacePool* pool_;
    std::unique_ptr<Workspace> workspace_;
  };

  Lease take() {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return {*this, std::make_unique<Workspace>()};
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return {*this, std::move(workspace)};
  }

 private:
  void give_back(std::unique_ptr<Workspace> workspace) {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace sgpt::cpu
