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
  // Selective repeat places what overtakes a READ, which must not see it: nothing is sent behind one.
  if (qp.selective != nullptr && requester.answers_owed != 0 && !wqe.is_answered()) return false;
  // What came before may still have to be sent again from the memory that is to be invalidated.
  if (wqe.opcode == SendOpcode::kLocalInv) return qp.send_queue.head() == requester.send_position;
  if (qp.reliable && wqe.length > qp.mtu) [[unlikely]] {
    const std::uint64_t in_flight = requester.next_psn - requester.unacked_psn;
    return in_flight + packets_of(wqe.length, qp.mtu) <= kPsnsInFlightMax;
  }
  return true;
}

/// Finds the request's memory; on failure the request has failed.
bool locate(Engine& engine, Qp& qp, std::uint64_t position, SendWqe& wqe) {
  wqe.generation = engine.regions.generation();
  if (wqe.is_inline || wqe.piece_count == 0) return true;
  const mm::AccessFault fault =
      translate(engine.regions, qp.pd_number, {qp.send_queue.pieces(position), wqe.piece_count},
                wqe.is_read() || wqe.is_atomic() ? access::kLocalWrite : 0);
  if (fault == mm::AccessFault::kNone) return true;
  wqe.fail(WcStatus::kLocProtErr, local_error(fault));
  return false;
}

/// What selective repeat wants to know of a request: which receive its message takes, or that it is answered.
void number(Qp& qp, SendWqe& wqe) {
  SelectiveRequester& state = qp.selective->requester;
  if (wqe.is_send()) wqe.remote.addr = state.message++;
  if (wqe.opcode == SendOpcode::kRdmaWriteWithImm) ++state.message;
  if (wqe.is_answered() && qp.requester.answers_owed == 0) state.answered_from = wqe.first_psn;
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
  if (qp.selective != nullptr) [[unlikely]]
    number(qp, wqe);
  if (wqe.is_answered()) ++requester.answers_owed;
}

/// Congestion control: is there room for one more packet? An ACK brings the QP back.
bool has_window(const Qp& qp) {
  const std::uint64_t packets =
      qp.selective == nullptr ? qp.requester.next_psn - qp.requester.unacked_psn : selective::in_flight(qp);
  return packets * qp.mtu < qp.congestion->window_bytes();
}

/// Congestion control: is it time for the next packet? If not, the timer brings the QP back.
bool may_send_now(Engine& engine, Qp& qp, TimePoint now) {
  const TimePoint when = qp.congestion->next_send_time(now);
  if (when <= now) return true;
  qp.timers.arm(engine.timers, Deadline::kPacing, when);
  return false;
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
  if (requester.next_psn > requester.high_psn) [[likely]] {
    requester.high_psn = requester.next_psn;
  } else {
    ++engine.counters.resent_pkts;
    ++requester.resent;
  }
  if (qp.reliable) {
    if (!qp.timers.armed(Deadline::kAck) && ack_timeout(engine, qp) != Duration()) {
      qp.timers.arm(engine.timers, Deadline::kAck, now + ack_timeout(engine, qp));
    }
    return;
  }
  requester.unacked_psn = requester.next_psn;  // UC: sent is done
  if (whole) completer::retire(engine, qp, now);
}

/// What comes before the next new packet, if that may be sent at all: a hold, and what has to be sent again. True:
/// `offer` is the answer.
bool comes_first(Engine& engine, Qp& qp, TimePoint now, TxSink& sink, Offer& offer) {
  if (qp.selective != nullptr && selective::may_resend(qp)) {
    if (qp.requester.waiting_rnr || !processes_responses(qp.state)) return true;
    if (qp.congestion != nullptr && !may_send_now(engine, qp, now)) return true;
    offer = selective::poll_again(engine, qp, now, sink);
    if (offer != Offer::kNothing) return true;
  }
  return qp.requester.send_position != qp.send_queue.tail() && held(engine, qp, now);
}

}  // namespace

bool still_located(Engine& engine, Qp& qp, TimePoint now, std::uint64_t position, SendWqe& wqe) {
  if (wqe.generation == engine.regions.generation()) [[likely]]
    return true;
  if (locate(engine, qp, position, wqe)) return true;
  if (wqe.is_answered()) --qp.requester.answers_owed;
  completer::retire(engine, qp, now);
  return false;
}

void not_mapped(Engine& engine, Qp& qp, TimePoint now, SendWqe& wqe) {
  wqe.fail(WcStatus::kLocProtErr, VendorError::kLocalNotMapped);
  completer::retire(engine, qp, now);
}

void finish_packet(Engine& engine, Qp& qp, const SendWqe& wqe, std::uint64_t psn) {
  if (qp.selective != nullptr && !wqe.is_answered()) selective::address(qp, wqe, psn);
  if (qp.type == QpType::kXrcSend) qp.packet.xrc_eth.srq_number = wqe.remote.srq_number;
  if (engine.options.entropy == Entropy::kPerQp || !qp.reliable) return;
  if (qp.entropy == nullptr) {
    qp.entropy = std::make_unique<EntropyChooser>(engine.options.entropy == Entropy::kRecycled);
  }
  // A packet that the sink refuses takes another one when it is offered again.
  qp.packet.path.udp_source_port = qp.entropy->next(engine.entropy_rng);
}

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
    if (wqe.packet_count != 0) {
      if (wqe.generation == engine.regions.generation()) [[likely]]
        return &wqe;
      return still_located(engine, qp, now, requester.send_position, wqe) ? &wqe : nullptr;
    }
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
  if (qp.unusual) [[unlikely]] {
    Offer offer = Offer::kNothing;
    if (comes_first(engine, qp, now, sink, offer)) return offer;
  }
  if (requester.send_position == qp.send_queue.tail() || requester.waiting_rnr) return Offer::kNothing;
  if (!processes_responses(qp.state)) return Offer::kNothing;
  SendWqe* wqe = current(engine, qp, now);
  if (wqe == nullptr) return Offer::kNothing;
  if (requester.next_psn - requester.unacked_psn >= engine.options.unacked_psns_max) return Offer::kNothing;
  if (qp.congestion != nullptr && (!has_window(qp) || !may_send_now(engine, qp, now))) return Offer::kNothing;

  if (!build_request(engine, qp, *wqe, requester.send_position, requester.next_psn)) [[unlikely]] {
    not_mapped(engine, qp, now, *wqe);
    return Offer::kNothing;
  }
  if (qp.unusual) [[unlikely]]
    finish_packet(engine, qp, *wqe, requester.next_psn);
  if (!sink.transmit(qp.packet)) return Offer::kRefused;
  count_sent(engine, qp.packet);
  sent(engine, qp, now, *wqe);
  return Offer::kTaken;
}

}  // namespace rocelab::rxe::requester
