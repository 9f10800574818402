// One file's way into the cache: bytes are added to blobs/ETAG.incomplete until all are there, checked, and renamed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hub/cache.h"
#include "hub/client.h"

namespace sgpt {

/// Goes on where an earlier download broke off, and when the connection breaks. `on_bytes` is told how many bytes of
/// the file are there. The caller holds the blob's lock. Throws MachineError when the disk is full, when the network
/// fails for good (what is there is kept), and when size or checksum is wrong (what is there is deleted).
void download_blob(HubClient& client, const HubOptions& options, const ModelCache& cache, const std::string& commit,
                   const HubFile& file, const std::function<void(std::int64_t)>& on_bytes);

}  // namespace sgpt
