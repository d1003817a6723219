// See requester.h.
#include "rxe/requester.h"

#include "rxe/completer.h"
#include "rxe/completions.h"
#include "rxe/local_memory.h"
#include "rxe/local_work.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/request_packet.h"

namespace rocelab::rxe::requester {

namespace {

/// May the next request be begun? Order rules: IBTA vol 1, 10.8.3.3.
bool may_begin(Qp& qp, const SendWqe& wqe) {
  const RequesterState& requester = qp.requester;
  if (!begins_requests(qp.state)) return false;
  if (requester.answers_owed != 0) {
    if (wqe.fenced) return false;
    if (wqe.is_answered() && requester.answers_owed >= qp.attr.max_rd_atomic) return false;
  }
  // What came before may still have to be sent again from the memory that is to be invalidated.
  if (wqe.opcode == SendOpcode::kLocalInv) return qp.send_queue.head() == requester.send_position;
  if (qp.type == QpType::kRc && wqe.length > qp.mtu) [[unlikely]] {
    const std::uint64_t in_flight = requester.next_psn - requester.unacked_psn;
    return in_flight + packets_of(wqe.length, qp.mtu) <= kPsnsInFlightMax;
  }
  return true;
}

void fail(SendWqe& wqe, WcStatus status, VendorError reason) {
  wqe.state = WqeState::kFailed;
  wqe.status = status;
  wqe.vendor_error = reason;
}

/// Finds the request's memory; on failure the request has failed.
bool locate(Engine& engine, Qp& qp, std::uint64_t position, SendWqe& wqe) {
  wqe.generation = engine.regions.generation();
  if (wqe.is_inline || wqe.piece_count == 0) return true;
  const mm::AccessFault fault =
      translate(engine.regions, qp.pd_number, {qp.send_queue.pieces(position), wqe.piece_count},
                wqe.is_answered() ? access::kLocalWrite : 0);
  if (fault == mm::AccessFault::kNone) return true;
  fail(wqe, WcStatus::kLocProtErr, local_error(fault));
  return false;
}

/// The memory of a request begun earlier may have been deregistered since; if so, the request fails.
bool still_located(Engine& engine, Qp& qp, TimePoint now, SendWqe& wqe) {
  if (wqe.generation == engine.regions.generation()) [[likely]]
    return true;
  if (locate(engine, qp, qp.requester.send_position, wqe)) return true;
  if (wqe.is_answered()) --qp.requester.answers_owed;
  completer::retire(engine, qp, now);
  return false;
}

/// Checks and numbers the request at send_position.
void begin(Engine& engine, Qp& qp, SendWqe& wqe) {
  RequesterState& requester = qp.requester;
  ++requester.begun_position;
  wqe.first_psn = requester.next_psn;
  wqe.packet_count = 0;
  if (wqe.state == WqeState::kFailed) return;  // found at post_send
  if (wqe.is_local()) {
    wqe.state = execute_local_work(engine, qp, wqe) ? WqeState::kBegun : WqeState::kFailed;
    return;
  }
  if (!locate(engine, qp, requester.send_position, wqe)) return;
  wqe.state = WqeState::kBegun;
  wqe.packet_count = packets_of(wqe.length, qp.mtu);
  if (wqe.is_answered()) ++requester.answers_owed;
}

/// Congestion control: is there room for the next packet, and is it time for it? An ACK, or the timer, brings the QP
/// back.
bool may_send_now(Engine& engine, Qp& qp, TimePoint now) {
  const std::uint64_t in_flight = (qp.requester.next_psn - qp.requester.unacked_psn) * qp.mtu;
  if (in_flight >= qp.congestion->window_bytes()) return false;
  const TimePoint when = qp.congestion->next_send_time(now);
  if (when <= now) return true;
  qp.timers.arm(engine.timers, Deadline::kPacing, when);
  return false;
}

/// The packet's own entropy. A packet that the sink refuses takes another one when it is offered again.
void choose_port(Engine& engine, Qp& qp) {
  if (qp.entropy == nullptr) {
    qp.entropy = std::make_unique<EntropyChooser>(engine.options.entropy == Entropy::kRecycled);
  }
  qp.packet.path.udp_source_port = qp.entropy->next(engine.entropy_rng);
}

/// The sink has taken the packet.
void sent(Engine& engine, Qp& qp, TimePoint now, SendWqe& wqe) {
  RequesterState& requester = qp.requester;
  const std::uint64_t psn = requester.next_psn;
  requester.since_ack_request = qp.packet.bth.ack_request ? 0 : requester.since_ack_request + 1;
  if (wqe.is_read()) {
    if (requester.next_psn != wqe.first_psn) wqe.repeated = true;
    requester.next_psn = wqe.end_psn();
  } else {
    ++requester.next_psn;
  }
  const bool whole = requester.next_psn == wqe.end_psn();
  if (whole) ++requester.send_position;
  if (qp.congestion != nullptr) {
    qp.congestion->on_send(now, {qp.packet.payload.length + kWireOverheadBytes, psn, psn < requester.high_psn});
    keep_congestion_timer(engine, qp);
  }
  if (requester.next_psn > requester.high_psn) requester.high_psn = requester.next_psn;
  if (qp.type == QpType::kRc) {
    if (!qp.timers.armed(Deadline::kAck) && qp.ack_timeout != Duration()) {
      qp.timers.arm(engine.timers, Deadline::kAck, now + qp.ack_timeout);
    }
    return;
  }
  requester.unacked_psn = requester.next_psn;  // UC: sent is done
  if (whole) completer::retire(engine, qp, now);
}

}  // namespace

SendWqe* current(Engine& engine, Qp& qp, TimePoint now) {
  RequesterState& requester = qp.requester;
  while (requester.send_position != qp.send_queue.tail()) {
    SendWqe& wqe = qp.send_queue.at(requester.send_position);
    if (requester.send_position == requester.begun_position) {
      if (!may_begin(qp, wqe)) return nullptr;
      begin(engine, qp, wqe);
    }
    if (wqe.state == WqeState::kFailed) [[unlikely]] {
      completer::retire(engine, qp, now);
      return nullptr;
    }
    if (wqe.packet_count != 0) return still_located(engine, qp, now, wqe) ? &wqe : nullptr;
    ++requester.send_position;
    completer::retire(engine, qp, now);
  }
  return nullptr;
}

void rewind(Qp& qp, std::uint64_t psn) {
  RequesterState& requester = qp.requester;
  std::uint64_t position = qp.send_queue.head();
  for (; position != requester.begun_position; ++position) {
    const SendWqe& wqe = qp.send_queue.at(position);
    if (wqe.state == WqeState::kFailed || wqe.end_psn() > psn) break;
  }
  requester.next_psn = psn;
  requester.send_position = position;
  requester.cursor_psn = ~0ull;
  requester.since_ack_request = 0;
}

Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  RequesterState& requester = qp.requester;
  if (requester.send_position == qp.send_queue.tail() || requester.waiting_rnr) return Offer::kNothing;
  if (!processes_responses(qp.state)) return Offer::kNothing;
  if (held(engine, qp, now)) [[unlikely]]
    return Offer::kNothing;
  SendWqe* wqe = current(engine, qp, now);
  if (wqe == nullptr) return Offer::kNothing;
  if (requester.next_psn - requester.unacked_psn >= engine.options.unacked_psns_max) return Offer::kNothing;
  if (qp.congestion != nullptr && !may_send_now(engine, qp, now)) return Offer::kNothing;

  build_request(engine, qp, *wqe);
  if (engine.options.entropy != Entropy::kPerQp && qp.type == QpType::kRc) [[unlikely]]
    choose_port(engine, qp);
  if (!sink.transmit(qp.packet)) return Offer::kRefused;
  count_sent(engine, qp.packet);
  sent(engine, qp, now, *wqe);
  return Offer::kTaken;
}

}  // namespace rocelab::rxe::requester
