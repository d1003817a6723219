// READ responses and atomic results at the requester: checked against the request that waits for them, then written to
// its memory. Called by the completer. IBTA vol 1, 9.7.5.1.1 and 9.7.6.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe {

struct AnswerVerdict {
  WcStatus status = WcStatus::kSuccess;
  VendorError reason = VendorError::kNone;
};

/// `position` is the request's in the send queue, `index` the packet's place among its PSNs. Nothing is written unless
/// the verdict is success.
AnswerVerdict accept_answer(Engine& engine, Qp& qp, SendWqe& wqe, std::uint64_t position, std::uint32_t index,
                            const wire::Packet& packet);

}  // namespace rocelab::rxe
