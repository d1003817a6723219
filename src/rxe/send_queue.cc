// The send queue's storage.
#include "rxe/send_queue.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace rocelab::rxe {

WcOpcode completion_opcode(SendOpcode opcode) {
  switch (opcode) {
    case SendOpcode::kRdmaWrite:
    case SendOpcode::kRdmaWriteWithImm:
      return WcOpcode::kRdmaWrite;
    case SendOpcode::kSend:
    case SendOpcode::kSendWithImm:
    case SendOpcode::kSendWithInv:
      return WcOpcode::kSend;
    case SendOpcode::kRdmaRead:
      return WcOpcode::kRdmaRead;
    case SendOpcode::kAtomicCmpAndSwp:
      return WcOpcode::kCompSwap;
    case SendOpcode::kAtomicFetchAndAdd:
      return WcOpcode::kFetchAdd;
    case SendOpcode::kLocalInv:
      return WcOpcode::kLocalInv;
    case SendOpcode::kBindMw:
      return WcOpcode::kBindMw;
    case SendOpcode::kFlush:
      return WcOpcode::kFlush;
    case SendOpcode::kAtomicWrite:
      return WcOpcode::kAtomicWrite;
    case SendOpcode::kRegMr:
      return WcOpcode::kRegMr;
  }
  return WcOpcode::kSend;
}

SendQueue::SendQueue(std::uint32_t max_wr, std::uint32_t max_sge, std::uint32_t max_inline, Storage storage)
    : ring_(max_wr, storage), capacity_(max_wr == 0 ? 0 : std::bit_ceil(max_wr)) {
  constexpr std::size_t kAlignment = 16;
  const std::size_t bytes = std::max<std::size_t>(max_sge * sizeof(SendPiece), max_inline);
  stride_ = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (stride_ != 0 && capacity_ != 0) slab_ = std::make_unique<std::byte[]>(stride_ * ring_.stored());
}

void SendQueue::grow() {
  const std::size_t larger = FixedRing<SendWqe>::grown(ring_.stored(), ring_.capacity());
  auto slab = std::make_unique<std::byte[]>(stride_ * larger);
  for (std::uint64_t position = head(); position != tail(); ++position) {
    std::memcpy(slab.get() + (position & (larger - 1)) * stride_, slab_at(position), stride_);
  }
  ring_.grow();
  slab_ = std::move(slab);
}

}  // namespace rocelab::rxe
