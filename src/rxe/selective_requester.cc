// See selective_requester.h. What was acknowledged moves unacked_psn as far as it is without holes; the completer's
// rules about retiring, RNR and fatal NAKs then hold as they do for go-back-N.
#include "rxe/selective_requester.h"

#include <algorithm>
#include <bit>

#include "rxe/completer.h"
#include "rxe/local_memory.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/read_response.h"
#include "rxe/request_packet.h"
#include "rxe/requester.h"

namespace rocelab::rxe::selective {

namespace {

/// The request that this PSN belongs to; it has been begun and is not acknowledged.
std::uint64_t position_of(Qp& qp, std::uint64_t psn) {
  std::uint64_t position = qp.send_queue.head();
  while (position != qp.requester.begun_position && qp.send_queue.at(position).end_psn() <= psn) ++position;
  return position;
}

/// Is the packet at this PSN to be sent again? Answers (READ data, atomic results) are lost when later ones have come,
/// requests when the responder has spoken of later ones.
bool lost(const Engine& engine, const Qp& qp, std::uint64_t psn) {
  const SelectiveRequester& state = qp.selective->requester;
  if (state.done.test(psn)) return false;
  if (psn < state.forced_psn) return true;
  const bool executed = qp.requester.answers_owed != 0 && psn >= state.answered_from && psn < state.peer_psn;
  return psn + engine.options.selective.reorder_packets <= (executed ? state.answer_psn : state.known_psn);
}

/// Everything up to the first hole is acknowledged.
void settle_acks(Qp& qp) {
  SelectiveRequester& state = qp.selective->requester;
  std::uint64_t& unacked = qp.requester.unacked_psn;
  for (std::uint64_t position = qp.send_queue.head(); position != qp.requester.begun_position; ++position) {
    const SendWqe& wqe = qp.send_queue.at(position);
    if (wqe.state == WqeState::kFailed) return;
    if (wqe.is_answered()) {
      for (; unacked < wqe.end_psn() && state.done.test(unacked); ++unacked) state.done.reset(unacked);
    } else {
      const std::uint64_t reached = std::min(state.peer_psn, wqe.end_psn());
      if (state.done.count() == 0) unacked = std::max(unacked, reached);
      for (; unacked < reached; ++unacked) state.done.reset(unacked);
    }
    if (unacked < wqe.end_psn()) return;
  }
}

/// After each response: progress, and whether there is something to send again.
void settle(Engine& engine, Qp& qp, TimePoint now, std::uint64_t before) {
  SelectiveRequester& state = qp.selective->requester;
  RequesterState& requester = qp.requester;
  settle_acks(qp);
  // What the responder expects it does not have, though it may have had it early, and given it back for want of a
  // receive.
  if (state.peer_psn <= requester.unacked_psn) state.done.reset(requester.unacked_psn);
  if (state.probing) {  // what has not arrived by now is lost
    state.probing = false;
    state.forced_psn = state.recovery_end;
  }
  if (requester.unacked_psn != before) completer::note_progress(engine, qp, now);
  if (qp.state == QpState::kErr || !requester.outstanding()) {
    state.recovering = false;
    return;
  }
  if (state.recovering && requester.unacked_psn >= state.recovery_end) state.recovering = false;
  if (!lost(engine, qp, requester.unacked_psn)) return;
  if (!state.recovering) {
    state.recovering = true;
    state.resend_psn = requester.unacked_psn;
    state.recovery_end = requester.high_psn;
    if (qp.congestion != nullptr) qp.congestion->on_loss(now, Loss::kNak);
  }
  engine.ready.add(qp);
}

/// The responder's bits, from `base` on.
void note_bits(Qp& qp, std::uint32_t base, std::uint64_t bits) {
  SelectiveRequester& state = qp.selective->requester;
  const RequesterState& requester = qp.requester;
  // It may lie before what has been acknowledged since.
  const std::int32_t ahead =
      wire::distance(wire::Psn(base), wire::Psn(static_cast<std::uint32_t>(requester.unacked_psn)));
  const std::uint64_t first = requester.unacked_psn + static_cast<std::uint64_t>(std::int64_t{ahead});
  // Of a READ the data counts, which no such bit stands for.
  const std::uint64_t end = requester.answers_owed != 0 ? state.answered_from : requester.high_psn;
  for (; bits != 0; bits &= bits - 1) {
    const std::uint64_t psn = first + static_cast<unsigned>(std::countr_zero(bits));
    if (psn >= end || psn < state.peer_psn) continue;
    state.done.set(psn);
    state.known_psn = std::max(state.known_psn, psn + 1);
  }
}

/// Returns the PSN that it answers.
std::uint64_t handle_acknowledge(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  SelectiveRequester& state = qp.selective->requester;
  const RequesterState& requester = qp.requester;
  const wire::AethKind kind = packet.aeth.kind();
  const bool sequence_nak =
      kind == wire::AethKind::kNak && packet.aeth.code() == static_cast<unsigned>(wire::NakCode::kPsnSequenceError);
  const bool cumulative = kind == wire::AethKind::kAck || sequence_nak;  // says what came; else what is refused
  const wire::Psn next = cumulative ? packet.bth.psn + 1 : packet.bth.psn;
  const std::uint32_t ahead = (next.value() - static_cast<std::uint32_t>(requester.unacked_psn)) & wire::Psn::kMask;
  std::uint64_t reached = requester.unacked_psn + ahead;
  if (ahead > requester.high_psn - requester.unacked_psn) {
    if (!cumulative || wire::distance(next, wire::Psn(static_cast<std::uint32_t>(requester.unacked_psn))) >= 0) {
      ++engine.counters.drop_bad_sequence;
      return requester.unacked_psn;
    }
    reached = requester.unacked_psn;  // overtaken by a later one
  }
  const std::uint64_t before = requester.unacked_psn;
  state.done.reserve(before, requester.high_psn - before);
  state.peer_psn = std::max(state.peer_psn, reached);
  state.known_psn = std::max(state.known_psn, reached);
  if (cumulative) note_bits(qp, packet.aeth.msn, packet.atomic_ack_eth.original);
  if (sequence_nak) {
    ++engine.counters.rcvd_seq_err;
    if (reached >= state.peer_psn && reached < requester.high_psn) {
      state.known_psn = std::max(state.known_psn, reached + 1);
    }
  }
  const std::uint64_t answered = sequence_nak ? state.known_psn - 1 : reached - 1;
  settle(engine, qp, now, before);
  if (cumulative || qp.state == QpState::kErr) return answered;
  if (kind == wire::AethKind::kRnrNak) {
    if (requester.waiting_rnr || reached != requester.unacked_psn) return answered;
    qp.requester.retries_left = qp.attr.retry_cnt;  // it hears us
    state.forced_psn = std::max(state.forced_psn, reached + 1);
    state.recovering = true;
    state.resend_psn = reached;
    state.recovery_end = std::max(state.recovery_end, reached + 1);
    completer::handle_rnr_nak(engine, qp, now, packet.aeth.code());
    return answered;
  }
  completer::handle_fatal_nak(engine, qp, now, packet.aeth);
  return answered;
}

/// Returns its PSN.
std::uint64_t handle_answer(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  SelectiveRequester& state = qp.selective->requester;
  RequesterState& requester = qp.requester;
  const std::uint64_t before = requester.unacked_psn;
  const std::uint32_t ahead = (packet.bth.psn.value() - static_cast<std::uint32_t>(before)) & wire::Psn::kMask;
  const std::uint64_t psn = before + ahead;
  const std::uint64_t position = ahead < requester.high_psn - before ? position_of(qp, psn) : requester.begun_position;
  if (position == requester.begun_position || state.done.test(psn) || !qp.send_queue.at(position).is_answered()) {
    ++engine.counters.drop_bad_sequence;  // of long ago, or a second time
    return psn;
  }
  SendWqe& wqe = qp.send_queue.at(position);
  if (wqe.state == WqeState::kFailed) return psn;
  const auto index = static_cast<std::uint32_t>(psn - wqe.first_psn);
  const AnswerVerdict verdict = accept_answer(engine, qp, wqe, position, index, packet);
  if (verdict.status != WcStatus::kSuccess) {
    ++engine.counters.drop_bad_response;
    fail_front(engine, qp, now, verdict.status, verdict.reason);
    return psn;
  }
  state.done.reserve(before, requester.high_psn - before);
  state.done.set(psn);
  state.answer_psn = std::max(state.answer_psn, psn + 1);
  state.peer_psn = std::max(state.peer_psn, wqe.end_psn());  // it has executed this, hence everything before
  state.known_psn = std::max(state.known_psn, wqe.first_psn);
  settle(engine, qp, now, before);
  return psn;
}

/// Builds the packet at `psn` again; returns how many PSNs it stands for, 0 when the request has failed.
std::uint64_t build_again(Engine& engine, Qp& qp, TimePoint now, std::uint64_t psn) {
  SelectiveRequester& state = qp.selective->requester;
  const std::uint64_t position = position_of(qp, psn);
  SendWqe& wqe = qp.send_queue.at(position);
  if (!requester::still_located(engine, qp, now, position, wqe)) return 0;
  if (!build_request(engine, qp, wqe, position, psn)) {
    requester::not_mapped(engine, qp, now, wqe);
    return 0;
  }
  requester::finish_packet(engine, qp, wqe, psn);
  qp.packet.bth.ack_request = true;
  if (!wqe.is_read()) return 1;
  // As much as is missing in a row and not on its way.
  std::uint64_t count = 1;
  if (psn >= state.peer_psn) {
    count = wqe.end_psn() - psn;  // the responder has never had the request
  } else {
    while (psn + count < wqe.end_psn() && lost(engine, qp, psn + count)) ++count;
  }
  const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(count * qp.mtu, qp.packet.reth.dma_length));
  qp.packet.reth.dma_length = bytes;
  return count;
}

}  // namespace

void address(Qp& qp, const SendWqe& wqe, std::uint64_t psn) {
  const auto index = static_cast<std::uint32_t>(psn - wqe.first_psn);
  const std::uint32_t offset = index * qp.mtu;
  wire::Packet& packet = qp.packet;
  if (wqe.is_send()) {
    packet.reth = {wqe.remote.addr, 0, offset + packet.payload.length};
  } else {
    const bool last = index + 1 == wqe.packet_count;
    packet.reth = {wqe.remote.addr + offset, wqe.remote.rkey, last ? wqe.length : wqe.length - offset};
  }
}

Offer poll_again(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  SelectiveRequester& state = qp.selective->requester;
  const RequesterState& requester = qp.requester;
  std::uint64_t psn = std::max(state.resend_psn, requester.unacked_psn);
  const std::uint64_t end =
      std::min(requester.high_psn, std::max({state.known_psn, state.answer_psn, state.forced_psn}));
  while (psn < end && !lost(engine, qp, psn)) ++psn;
  state.resend_psn = psn;
  if (psn >= end) return Offer::kNothing;
  const std::uint64_t count = build_again(engine, qp, now, psn);
  if (count == 0) return Offer::kNothing;
  if (!sink.transmit(qp.packet)) return Offer::kRefused;
  count_sent(engine, qp.packet);
  ++engine.counters.resent_pkts;
  ++qp.requester.resent;
  state.resend_psn = psn + count;
  if (qp.congestion != nullptr) {
    qp.congestion->on_send(now, {qp.packet.payload.length + kWireOverheadBytes, psn, true});
    keep_congestion_timer(engine, qp);
  }
  if (!qp.timers.armed(Deadline::kAck))
    qp.timers.arm(engine.timers, Deadline::kAck, now + retransmission_timeout(engine, qp));
  return Offer::kTaken;
}

std::uint64_t handle_response(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  if (!qp.requester.outstanding()) {
    ++engine.counters.drop_bad_sequence;
    return qp.requester.unacked_psn;
  }
  const bool acknowledges = wire::operation_of(packet.bth.opcode) == wire::Operation::kAcknowledge;
  return acknowledges ? handle_acknowledge(engine, qp, now, packet) : handle_answer(engine, qp, now, packet);
}

void probe(Qp& qp) {
  SelectiveRequester& state = qp.selective->requester;
  state.recovering = state.probing = true;
  state.recovery_end = qp.requester.high_psn;
  state.resend_psn = qp.requester.unacked_psn;
  state.forced_psn = state.resend_psn + 1;
}

Duration retransmission_timeout(const Engine& engine, const Qp& qp) {
  const SelectiveParameters& parameters = engine.options.selective;
  const bool few = qp.requester.high_psn - qp.requester.unacked_psn <= parameters.rto_low_packets;
  const unsigned in_a_row = static_cast<unsigned>(qp.attr.retry_cnt - qp.requester.retries_left) & 7;
  return (few ? parameters.rto_low : parameters.rto_high) * (std::int64_t{1} << in_a_row);
}

void forget_requests(Qp& qp) { qp.selective->requester = {}; }

}  // namespace rocelab::rxe::selective
