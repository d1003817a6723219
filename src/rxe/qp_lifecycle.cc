// See qp_lifecycle.h.
#include "rxe/qp_lifecycle.h"

#include "rxe/completions.h"
#include "rxe/selective_requester.h"
#include "rxe/selective_responder.h"
#include "rxe/xrc.h"

namespace rocelab::rxe {

namespace {

/// The requester has nothing begun and nothing to do.
void forget_sends(Qp& qp) {
  RequesterState& requester = qp.requester;
  requester.send_position = requester.begun_position = qp.send_queue.head();
  requester.unacked_psn = requester.high_psn = requester.next_psn;
  requester.cursor_psn = ~0ull;
  requester.answers_owed = 0;
  requester.waiting_rnr = requester.repeating = false;
  if (qp.selective != nullptr) selective::forget_requests(qp);
  qp.draining = false;
}

void flush_sends(Qp& qp, TimePoint now, VendorError reason) {
  for (; !qp.send_queue.empty(); qp.send_queue.pop()) {
    complete_send_error(qp, now, qp.send_queue.front(), WcStatus::kWrFlushErr, reason);
  }
  forget_sends(qp);
}

void flush_receives(Qp& qp, TimePoint now, VendorError reason) {
  HeldReceive& held = qp.responder.held;
  if (held.held()) complete_receive_error(qp, now, held.wr_id(), WcStatus::kWrFlushErr, reason);
  held.release();
  if (qp.selective != nullptr) {
    selective::forget_arrivals(qp, [&](const HeldReceive& early) {
      complete_receive_error(qp, now, early.wr_id(), WcStatus::kWrFlushErr, reason);
    });
  }
  if (qp.srq != nullptr) return;  // what is posted there belongs to all its QPs
  for (; !qp.receive_queue.empty(); qp.receive_queue.pop()) {
    complete_receive_error(qp, now, qp.receive_queue.front().wr_id, WcStatus::kWrFlushErr, reason);
  }
}

void forget_responses(Qp& qp) {
  qp.resources.clear();
  qp.responder.owed = OwedAck::kNone;
  qp.responder.cnp_owed = qp.responder.marked = false;
  qp.responder.parting = false;
}

}  // namespace

void enter_error(Engine& engine, Qp& qp, TimePoint now, VendorError reason) {
  if (qp.state == QpState::kErr) return;
  qp.state = QpState::kErr;
  qp.flush_reason = reason;
  qp.timers.disarm_all(engine.timers);
  if (!qp.responder.parting) forget_responses(qp);
  qp.responder.message = ResponderState::Message::kNone;
  flush_sends(qp, now, reason);
  flush_receives(qp, now, reason);
  // IBTA vol 1, 11.6.3.7: no more receives will be taken from the SRQ on behalf of this QP.
  if (qp.srq != nullptr && !qp.is_xrc()) notify(engine, qp, EventType::kQpLastWqeReached);
}

void notify(Engine& engine, const Qp& qp, EventType type) {
  engine.events.push(type, qp.user);
  for (void* sharer : qp.sharers) engine.events.push(type, sharer);
}

void fail_front(Engine& engine, Qp& qp, TimePoint now, WcStatus status, VendorError reason) {
  complete_send_error(qp, now, qp.send_queue.front(), status, reason);
  qp.send_queue.pop();
  ++engine.counters.send_err;
  if (qp.reliable) {
    enter_error(engine, qp, now, VendorError::kFlushedByError);
    return;
  }
  qp.state = QpState::kSqe;
  qp.flush_reason = VendorError::kFlushedBySqe;
  qp.timers.disarm(engine.timers, Deadline::kPacing);
  flush_sends(qp, now, VendorError::kFlushedBySqe);
}

void note_drained(Engine& engine, Qp& qp) {
  if (!qp.draining || qp.state != QpState::kSqd || qp.send_queue.head() != qp.requester.begun_position) return;
  qp.draining = false;
  if (qp.attr.en_sqd_async_notify) notify(engine, qp, EventType::kSqDrained);
}

void reset_qp(Engine& engine, Qp& qp) {
  qp.state = QpState::kReset;
  qp.timers.disarm_all(engine.timers);
  engine.ready.remove(qp);
  engine.ready.control.remove(qp);
  engine.regions.release_qp(qp.qpn);
  qp.send_queue.clear();
  forget_sends(qp);
  qp.receive_queue.clear();
  forget_responses(qp);
  qp.resources.resize(0);  // as many as the next life's max_dest_rd_atomic says
  if (qp.selective != nullptr) {
    selective::forget_arrivals(qp, [](const HeldReceive&) {});
    qp.selective->responder.message = 0;
  }
  ResponderState& responder = qp.responder;
  responder.held.release();
  responder.message = ResponderState::Message::kNone;
  responder.msn = 0;
  responder.nak_sent = false;
  qp.communicating = false;
  qp.cq_overflowed = false;
  const QpCap cap = qp.attr.cap;
  qp.attr = QpAttr{};
  qp.attr.cap = cap;
  qp.remote_access = 0;
  // The application will not look for completions of a life that is over.
  if (qp.send_cq != nullptr) qp.send_cq->forget_qp(qp.qpn);
  if (qp.is_xrc()) {
    xrc::release(qp);  // what completed there belongs to the shared receive queue
  } else if (qp.receive_cq != qp.send_cq) {
    qp.receive_cq->forget_qp(qp.qpn);
  }
}

void settle(Engine& engine, Qp& qp, TimePoint now) {
  if (!needs_settling(qp)) return;
  notify(engine, qp, EventType::kQpFatal);
  enter_error(engine, qp, now, VendorError::kCqOverflow);
}

}  // namespace rocelab::rxe
