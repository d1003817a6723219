// See completions.h.
#include "rxe/completions.h"

namespace rocelab::rxe {

void complete_send(Qp& qp, TimePoint now, const SendWqe& wqe) {
  if (!wqe.signaled) return;
  Completion completion;
  completion.wr_id = wqe.wr_id;
  completion.timestamp = now;
  completion.opcode = completion_opcode(wqe.opcode);
  completion.byte_len = wqe.length;
  completion.qp_num = qp.qpn;
  if (!qp.send_cq->push(completion, false)) [[unlikely]]
    qp.cq_overflowed = true;
}

void complete_send_error(Qp& qp, TimePoint now, const SendWqe& wqe, WcStatus status, VendorError reason) {
  Completion completion;
  completion.wr_id = wqe.wr_id;
  completion.timestamp = now;
  completion.status = status;
  completion.opcode = completion_opcode(wqe.opcode);
  completion.vendor_err = static_cast<std::uint32_t>(reason);
  completion.qp_num = qp.qpn;
  if (!qp.send_cq->push(completion, true)) qp.cq_overflowed = true;
}

void complete_receive(Qp& qp, TimePoint now, std::uint64_t wr_id, const Received& received) {
  Completion completion;
  completion.wr_id = wr_id;
  completion.timestamp = now;
  completion.opcode = received.opcode;
  completion.service_level = received.service_level;
  completion.byte_len = received.byte_len;
  completion.immediate = received.immediate;
  completion.qp_num = qp.qpn;
  completion.src_qp = received.source_qpn;
  completion.flags = received.flags;
  if (!qp.receive_cq->push(completion, received.solicited)) [[unlikely]]
    qp.cq_overflowed = true;
}

void complete_receive_error(Qp& qp, TimePoint now, std::uint64_t wr_id, WcStatus status, VendorError reason) {
  Completion completion;
  completion.wr_id = wr_id;
  completion.timestamp = now;
  completion.status = status;
  completion.opcode = WcOpcode::kRecv;
  completion.vendor_err = static_cast<std::uint32_t>(reason);
  completion.qp_num = qp.qpn;
  if (!qp.receive_cq->push(completion, true)) qp.cq_overflowed = true;
}

}  // namespace rocelab::rxe
