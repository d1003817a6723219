// See xrc.h.
#include "rxe/xrc.h"

#include "rxe/responder.h"

namespace rocelab::rxe::xrc {

namespace {

/// Borrows from the queue that the request names; false when it may not.
bool select_queue(Engine& engine, Qp& qp, const wire::Packet& packet) {
  const SrqId id{packet.xrc_eth.srq_number - engine.options.qpn_first};
  SharedReceiveQueue* const srq = engine.find_srq(id);
  if (srq == nullptr || !srq->is_xrc() || srq->xrc().domain != qp.xrcd) return false;
  if (qp.responder.message != ResponderState::Message::kNone && srq != qp.srq) return false;
  qp.srq = srq;
  qp.receive_cq = srq->xrc().cq;
  qp.pd_number = qp.receive_pd = static_cast<std::uint32_t>(srq->pd());
  return true;
}

}  // namespace

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  // What is not executed now needs no queue: a duplicate's answer is kept, a gap is a gap.
  if (packet.bth.psn == qp.responder.expected_psn && !select_queue(engine, qp, packet)) [[unlikely]] {
    return responder::refuse(engine, qp, now, packet.bth.psn, responder::Refusal::kInvalidRequest);
  }
  responder::handle_request(engine, qp, now, packet);
}

void release(Qp& qp) {
  if (qp.type != QpType::kXrcRecv) return;
  qp.responder.held.release();
  qp.srq = nullptr;
  qp.receive_cq = nullptr;
}

void forget(Engine& engine, const SharedReceiveQueue& srq) {
  for (const auto& qp : engine.qps) {
    if (qp != nullptr && qp->is_xrc() && qp->srq == &srq) release(*qp);
  }
}

}  // namespace rocelab::rxe::xrc
