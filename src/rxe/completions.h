// Work completions on their way to a CQ. Called by requester, completer, responders and the QP's life cycle. A refused
// completion (the CQ has overflowed) marks the QP; settle() (qp_lifecycle.h) takes it to ERR once the caller's step is
// over.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe {

/// A send request succeeded; nothing is added for an unsignalled one.
void complete_send(Qp& qp, TimePoint now, const SendWqe& wqe);
/// A send request failed or is flushed; such completions are always added.
void complete_send_error(Qp& qp, TimePoint now, const SendWqe& wqe, WcStatus status, VendorError reason);

/// What a successful receive completion says beyond its request.
struct Received {
  WcOpcode opcode = WcOpcode::kRecv;
  std::uint32_t byte_len = 0;
  std::uint32_t immediate = 0;
  std::uint32_t flags = 0;
  Qpn source_qpn = 0;
  std::uint8_t service_level = 0;
  bool solicited = false;
};
void complete_receive(Qp& qp, TimePoint now, std::uint64_t wr_id, const Received& received);
void complete_receive_error(Qp& qp, TimePoint now, std::uint64_t wr_id, WcStatus status, VendorError reason);

}  // namespace rocelab::rxe
