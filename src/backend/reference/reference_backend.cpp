// Moving data: the reference's memory is the machine's own.
#include "backend/reference/reference_backend.h"

#include <algorithm>
#include <cstring>

#include "backend/checks.h"

namespace sgpt {

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<reference::ReferenceBackend>(); }

namespace reference {

void ReferenceBackend::upload(ConstMatrix host, Matrix device) {
  checks::moves(host, device);
  if (host.bytes() > 0) std::memcpy(device.data, host.data, host.bytes());
}

void ReferenceBackend::download(ConstMatrix device, Matrix host) { upload(device, host); }

void ReferenceBackend::zero(Matrix x) {
  if (x.bytes() > 0) std::memset(x.data, 0, x.bytes());
}

PackedTexts ReferenceBackend::place(const TokenBatch& batch, Arena&) { return view_of(batch); }

}  // namespace reference
}  // namespace sgpt
