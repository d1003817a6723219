// See completer.h.
#include "rxe/completer.h"

#include <algorithm>

#include "rxe/completions.h"
#include "rxe/local_memory.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/read_response.h"
#include "rxe/requester.h"
#include "rxe/transmit.h"
#include "wire/aeth.h"

namespace rocelab::rxe::completer {

namespace {

constexpr std::uint8_t kRnrRetryForever = 7;  ///< IBTA vol 1, 9.7.5.2.8

/// Acknowledges everything before `upto`, which is within what has been sent. False: a READ response or an atomic
/// result that had to come first is missing (an implied NAK, IBTA vol 1, 9.7.5.1.7); unacked_psn then names it.
bool acknowledge_before(Qp& qp, std::uint64_t upto) {
  RequesterState& requester = qp.requester;
  if (upto <= requester.unacked_psn) return true;
  for (std::uint64_t position = qp.send_queue.head(); position != requester.begun_position; ++position) {
    const SendWqe& wqe = qp.send_queue.at(position);
    if (wqe.state == WqeState::kFailed || wqe.first_psn >= upto) break;
    if (wqe.is_answered() && requester.unacked_psn < wqe.end_psn()) {
      requester.unacked_psn = std::max(requester.unacked_psn, wqe.first_psn);
      return false;
    }
  }
  requester.unacked_psn = upto;
  return true;
}

/// Acknowledges, and notes progress if there was any. The QP may be in ERR afterwards.
bool advance(Engine& engine, Qp& qp, TimePoint now, std::uint64_t upto) {
  const std::uint64_t before = qp.requester.unacked_psn;
  const bool reached = acknowledge_before(qp, upto);
  if (qp.requester.unacked_psn != before) note_progress(engine, qp, now);
  return reached;
}

/// Sends everything unacknowledged again, if there is a retry left; else the oldest request fails.
bool retry(Engine& engine, Qp& qp, TimePoint now, VendorError reason) {
  RequesterState& requester = qp.requester;
  const bool timeout = reason == VendorError::kAckTimeout;
  if (qp.congestion != nullptr) qp.congestion->on_loss(now, timeout ? Loss::kTimeout : Loss::kNak);
  if (timeout && qp.entropy != nullptr) qp.entropy->on_timeout(now);
  if (requester.retries_left == 0) {
    ++engine.counters.retry_exceeded_err;
    fail_front(engine, qp, now, WcStatus::kRetryExcErr, reason);
    return false;
  }
  --requester.retries_left;
  if (qp.selective == nullptr) {
    requester::rewind(qp, requester.unacked_psn);
  } else {
    selective::probe(qp);
  }
  const Duration timeout_next = requester::ack_timeout(engine, qp);
  if (timeout_next != Duration()) qp.timers.arm(engine.timers, Deadline::kAck, now + timeout_next);
  engine.ready.add(qp);
  return true;
}

void handle_implied_nak(Engine& engine, Qp& qp, TimePoint now) {
  // The responses that follow a lost one are on their way already and say the same.
  if (qp.requester.repeating || qp.requester.waiting_rnr) return;
  ++engine.counters.completer_retry_err;
  if (retry(engine, qp, now, VendorError::kImpliedNakRetries)) qp.requester.repeating = true;
}

void handle_sequence_nak(Engine& engine, Qp& qp, TimePoint now) {
  ++engine.counters.rcvd_seq_err;
  RequesterState& requester = qp.requester;
  // A duplicate of a NAK that has been obeyed, or one that crossed an RNR NAK.
  if (requester.next_psn == requester.unacked_psn || requester.waiting_rnr) return;
  retry(engine, qp, now, VendorError::kSequenceRetries);
}

void handle_acknowledge(Engine& engine, Qp& qp, TimePoint now, const wire::Aeth& aeth, std::uint64_t psn) {
  const bool positive = aeth.kind() == wire::AethKind::kAck;
  // A NAK acknowledges what comes before its PSN, an ACK its PSN as well.
  if (!advance(engine, qp, now, positive ? psn + 1 : psn)) {
    if (qp.state != QpState::kErr) handle_implied_nak(engine, qp, now);
    return;
  }
  if (positive || qp.state == QpState::kErr) return;
  if (aeth.kind() == wire::AethKind::kRnrNak) return handle_rnr_nak(engine, qp, now, aeth.code());
  if (aeth.kind() == wire::AethKind::kNak && aeth.code() == static_cast<unsigned>(wire::NakCode::kPsnSequenceError)) {
    return handle_sequence_nak(engine, qp, now);
  }
  handle_fatal_nak(engine, qp, now, aeth);
}

/// A READ response or atomic result: for the oldest request, at its next PSN.
void handle_answer(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet, std::uint64_t psn) {
  if (!advance(engine, qp, now, psn)) {
    if (qp.state != QpState::kErr) handle_implied_nak(engine, qp, now);
    return;
  }
  if (qp.state == QpState::kErr) return;
  SendWqe& wqe = qp.send_queue.front();  // what came before has retired, and what it is has been begun
  const AnswerVerdict verdict =
      accept_answer(engine, qp, wqe, qp.send_queue.head(), static_cast<std::uint32_t>(psn - wqe.first_psn), packet);
  if (verdict.status != WcStatus::kSuccess) {
    ++engine.counters.drop_bad_response;
    fail_front(engine, qp, now, verdict.status, verdict.reason);
    return;
  }
  qp.requester.unacked_psn = psn + 1;
  note_progress(engine, qp, now);
}

/// What the choice of ports and congestion control hear of a response, once the requests that it finished have retired:
/// `packets` are newly acknowledged, `psn` is what it answers.
void hear(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet, std::uint64_t packets, std::uint64_t psn) {
  if (qp.entropy != nullptr) qp.entropy->on_ack(now, packet.path.udp_source_port, packet.bth.becn);
  if (qp.congestion == nullptr || qp.state == QpState::kErr) return;
  qp.congestion->on_ack(now, {.bytes = packets * qp.mtu,
                              .psn = psn,
                              .next_psn = qp.requester.next_psn,
                              .ecn_echo = packet.bth.becn,
                              .telemetry = packet.telemetry});
  keep_congestion_timer(engine, qp);
}

}  // namespace

void note_progress(Engine& engine, Qp& qp, TimePoint now) {
  RequesterState& requester = qp.requester;
  requester.retries_left = qp.attr.retry_cnt;
  requester.rnr_retries_left = qp.attr.rnr_retry;
  requester.repeating = false;
  if (requester.next_psn < requester.unacked_psn) {  // packets thought lost had arrived after all
    requester::rewind(qp, requester.unacked_psn);
  }
  if (!requester.outstanding()) {
    qp.timers.disarm(engine.timers, Deadline::kAck);
  } else if (requester::ack_timeout(engine, qp) != Duration() && !requester.waiting_rnr) {
    qp.timers.arm(engine.timers, Deadline::kAck, now + requester::ack_timeout(engine, qp));
  }
  retire(engine, qp, now);
  if (requester.send_position != qp.send_queue.tail()) engine.ready.add(qp);
}

void handle_rnr_nak(Engine& engine, Qp& qp, TimePoint now, std::uint8_t timer_code) {
  ++engine.counters.rcvd_rnr_err;
  RequesterState& requester = qp.requester;
  if (requester.waiting_rnr) return;
  if (qp.attr.rnr_retry != kRnrRetryForever) {
    if (requester.rnr_retries_left == 0) {
      ++engine.counters.retry_rnr_exceeded_err;
      fail_front(engine, qp, now, WcStatus::kRnrRetryExcErr, VendorError::kRnrRetries);
      return;
    }
    --requester.rnr_retries_left;
  }
  if (qp.selective == nullptr) requester::rewind(qp, requester.unacked_psn);
  requester.waiting_rnr = true;
  qp.timers.disarm(engine.timers, Deadline::kAck);
  qp.timers.arm(engine.timers, Deadline::kRnr, now + wire::rnr_timer(timer_code));
}

void handle_fatal_nak(Engine& engine, Qp& qp, TimePoint now, const wire::Aeth& aeth) {
  using wire::NakCode;
  if (aeth.kind() != wire::AethKind::kNak) {
    fail_front(engine, qp, now, WcStatus::kBadRespErr, VendorError::kNakReserved);
    return;
  }
  switch (static_cast<NakCode>(aeth.code())) {
    case NakCode::kInvalidRequest:
      return fail_front(engine, qp, now, WcStatus::kRemInvReqErr, VendorError::kNakInvalidRequest);
    case NakCode::kRemoteAccessError:
      return fail_front(engine, qp, now, WcStatus::kRemAccessErr, VendorError::kNakRemoteAccess);
    case NakCode::kRemoteOperationalError:
      return fail_front(engine, qp, now, WcStatus::kRemOpErr, VendorError::kNakRemoteOperational);
    default:
      return fail_front(engine, qp, now, WcStatus::kBadRespErr, VendorError::kNakReserved);
  }
}

void handle_response(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const RequesterState& requester = qp.requester;
  if (qp.selective != nullptr) [[unlikely]] {
    const std::uint64_t delivered = selective::delivered(qp);
    const std::uint64_t answered = selective::handle_response(engine, qp, now, packet);
    hear(engine, qp, now, packet, selective::delivered(qp) - delivered, answered);
    return;
  }
  const std::uint32_t ahead =
      (packet.bth.psn.value() - static_cast<std::uint32_t>(requester.unacked_psn)) & wire::Psn::kMask;
  if (ahead >= requester.high_psn - requester.unacked_psn) {  // long acknowledged, or never sent
    ++engine.counters.drop_bad_sequence;
    return;
  }
  const std::uint64_t before = requester.unacked_psn;
  const std::uint64_t psn = before + ahead;
  if (wire::operation_of(packet.bth.opcode) == wire::Operation::kAcknowledge) {
    handle_acknowledge(engine, qp, now, packet.aeth, psn);
  } else {
    handle_answer(engine, qp, now, packet, psn);
  }
  hear(engine, qp, now, packet, requester.unacked_psn - before, psn);
}

void handle_ack_timeout(Engine& engine, Qp& qp, TimePoint now) {
  if (!qp.requester.outstanding() || !processes_responses(qp.state)) return;
  qp.requester.repeating = false;
  retry(engine, qp, now, VendorError::kAckTimeout);
}

void handle_rnr_timeout(Engine& engine, Qp& qp) {
  qp.requester.waiting_rnr = false;
  // What came early and found no receive either was dropped.
  if (qp.selective != nullptr && qp.requester.outstanding()) selective::probe(qp);
  engine.ready.add(qp);
}

void retire(Engine& engine, Qp& qp, TimePoint now) {
  RequesterState& requester = qp.requester;
  while (qp.send_queue.head() != requester.begun_position) {
    SendWqe& wqe = qp.send_queue.front();
    if (wqe.state == WqeState::kFailed) [[unlikely]] {
      fail_front(engine, qp, now, wqe.status, wqe.vendor_error);
      return;
    }
    if (wqe.end_psn() > requester.unacked_psn || qp.send_queue.head() >= requester.send_position) break;
    if (wqe.is_answered()) --requester.answers_owed;
    if (completion_opcode(wqe.opcode) == WcOpcode::kSend) ++engine.counters.rdma_sends;
    complete_send(qp, now, wqe);
    qp.send_queue.pop();
  }
  if (qp.draining) [[unlikely]]
    note_drained(engine, qp);
}

}  // namespace rocelab::rxe::completer
