// The send queue's storage.
#include "rxe/send_queue.h"

#include <algorithm>
#include <bit>

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
    case SendOpcode::kRegMr:
      return WcOpcode::kRegMr;
  }
  return WcOpcode::kSend;
}

SendQueue::SendQueue(std::uint32_t max_wr, std::uint32_t max_sge, std::uint32_t max_inline)
    : ring_(max_wr), capacity_(max_wr == 0 ? 0 : std::bit_ceil(max_wr)) {
  constexpr std::size_t kAlignment = 16;
  const std::size_t bytes = std::max<std::size_t>(max_sge * sizeof(SendPiece), max_inline);
  stride_ = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (stride_ != 0 && capacity_ != 0) slab_ = std::make_unique<std::byte[]>(stride_ * capacity_);
}

}  // namespace rocelab::rxe
