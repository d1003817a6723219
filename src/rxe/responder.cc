// See responder.h.
#include "rxe/responder.h"

#include "rxe/ack_policy.h"
#include "rxe/completions.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/responder_message.h"
#include "rxe/responder_read.h"
#include "rxe/selective_responder.h"
#include "wire/aeth.h"

namespace rocelab::rxe::responder {

namespace {

using Message = ResponderState::Message;

void owe_nak(Engine& engine, Qp& qp, wire::Psn psn, const wire::Aeth& aeth) {
  qp.responder.owed = OwedAck::kNak;
  qp.responder.nak_psn = psn;
  qp.responder.nak_syndrome = aeth.syndrome;
  engine.add_control(qp);
}

/// The packet has been executed.
void advance(Engine& engine, Qp& qp, const wire::Packet& packet) {
  ResponderState& responder = qp.responder;
  ++responder.expected_psn;
  responder.ack_psn = packet.bth.psn;
  if (wire::ends_message(packet.bth.opcode)) {
    responder.msn = (responder.msn + 1) & wire::Psn::kMask;
    responder.message = Message::kNone;
  }
  if (wants_ack(packet.bth)) owe_ack(engine, qp);
}

void handle_send(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  ResponderState& responder = qp.responder;
  const wire::Opcode opcode = packet.bth.opcode;
  const wire::Psn psn = packet.bth.psn;
  if (wire::starts_message(opcode)) {
    if (!take_receive(qp)) return refuse_for_now(engine, qp);
    begin_send(qp);
  }
  if (std::uint64_t{responder.received} + packet.payload.length > responder.held.length()) [[unlikely]] {
    return refuse(engine, qp, now, psn, Refusal::kReceiveTooShort);
  }
  const Places places = place_send(engine, qp, packet);
  if (places.fault != mm::AccessFault::kNone) [[unlikely]] {
    return refuse(engine, qp, now, psn, Refusal::kReceiveMemory, local_error(places.fault));
  }
  if (wire::has_ieth(opcode) && engine.regions.may_invalidate_remote(packet.ieth.rkey, qp.pd_number, qp.qpn) !=
                                    mm::AccessFault::kNone) [[unlikely]] {
    return refuse(engine, qp, now, psn, Refusal::kAccess);
  }
  execute_send(engine, qp, packet, places);
  if (wire::has_ieth(opcode)) engine.regions.invalidate_remote(packet.ieth.rkey, qp.pd_number, qp.qpn);
  advance(engine, qp, packet);
  if (wire::ends_message(opcode)) complete_message(engine, qp, now, packet);
}

void handle_write(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const wire::Opcode opcode = packet.bth.opcode;
  std::byte* host = nullptr;
  if (check_write(engine, qp, packet, host) != mm::AccessFault::kNone) [[unlikely]] {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  }
  const bool notifies = wire::has_immediate(opcode);
  if (notifies && !take_receive(qp)) return refuse_for_now(engine, qp);
  if (wire::starts_message(opcode)) begin_write(engine, qp, packet, host);
  execute_write(qp, packet, host);
  advance(engine, qp, packet);
  if (notifies) complete_message(engine, qp, now, packet);
}

/// A request that has been executed before: its answer was lost, or is late. IBTA vol 1, 9.7.5.1.2 ff.
void handle_duplicate(Engine& engine, Qp& qp, const wire::Packet& packet) {
  ++engine.counters.duplicate_request;
  const wire::Opcode opcode = packet.bth.opcode;
  if (wire::operation_of(opcode) == wire::Operation::kRdmaReadRequest) {
    repeat_read(engine, qp, packet);
  } else if (wire::is_atomic(opcode)) {
    repeat_recorded(engine, qp, packet, ResponderResource::Kind::kAtomic);
  } else if (opcode == wire::Opcode::kRcAtomicWrite || opcode == wire::Opcode::kRcFlush) {
    repeat_recorded(engine, qp, packet, ResponderResource::Kind::kConfirmed);
  } else if (qp.responder.owed == OwedAck::kNone) {
    owe_ack(engine, qp);
  }
}

/// Packets are missing. One NAK a gap: IBTA vol 1, 9.7.5.2.8.
void handle_gap(Engine& engine, Qp& qp) {
  ResponderState& responder = qp.responder;
  ++engine.counters.out_of_seq_request;
  if (responder.nak_sent) return;
  owe_nak(engine, qp, responder.expected_psn, wire::Aeth::nak(wire::NakCode::kPsnSequenceError, responder.msn));
  responder.nak_sent = true;
}

}  // namespace

void refuse_for_now(Engine& engine, Qp& qp) {
  ResponderState& responder = qp.responder;
  ++engine.counters.send_rnr_err;
  owe_nak(engine, qp, responder.expected_psn, wire::Aeth::rnr_nak(qp.attr.min_rnr_timer, responder.msn));
  responder.nak_sent = true;
}

void refuse(Engine& engine, Qp& qp, TimePoint now, wire::Psn psn, Refusal refusal, VendorError reason) {
  ResponderState& responder = qp.responder;
  wire::NakCode code = wire::NakCode::kInvalidRequest;
  WcStatus status = WcStatus::kLocQpOpErr;
  switch (refusal) {
    case Refusal::kInvalidRequest:
      reason = VendorError::kResponderInvalidRequest;
      notify(engine, qp, EventType::kQpReqErr);
      break;
    case Refusal::kAccess:
      code = wire::NakCode::kRemoteAccessError;
      status = WcStatus::kLocAccessErr;
      reason = VendorError::kResponderAccess;
      notify(engine, qp, EventType::kQpAccessErr);
      break;
    case Refusal::kReceiveTooShort:
      status = WcStatus::kLocLenErr;
      reason = VendorError::kReceiveTooShort;
      break;
    case Refusal::kReceiveMemory:
      code = wire::NakCode::kRemoteOperationalError;
      status = WcStatus::kLocProtErr;
      break;
  }
  if (responder.held.held()) {
    complete_receive_error(qp, now, responder.held.wr_id(), status, reason);
    responder.held.release();
  }
  owe_nak(engine, qp, psn, wire::Aeth::nak(code, responder.msn));
  responder.parting = true;
  enter_error(engine, qp, now, VendorError::kFlushedByError);
}

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  if (qp.selective != nullptr) [[unlikely]]
    return selective::handle_request(engine, qp, now, packet);
  ResponderState& responder = qp.responder;
  const wire::Opcode opcode = packet.bth.opcode;
  const std::int32_t ahead = wire::distance(packet.bth.psn, responder.expected_psn);
  if (ahead != 0) [[unlikely]] {
    return ahead < 0 ? handle_duplicate(engine, qp, packet) : handle_gap(engine, qp);
  }
  responder.nak_sent = false;
  if (!opcode_in_order(responder, opcode)) [[unlikely]] {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
  }
  if (wire::is_send_or_write(opcode)) [[likely]] {
    if (!length_in_order(qp, packet, engine.options.limits.max_msg_size)) [[unlikely]] {
      return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
    }
    return wire::is_write(opcode) ? handle_write(engine, qp, now, packet) : handle_send(engine, qp, now, packet);
  }
  if (wire::is_atomic(opcode)) return handle_atomic(engine, qp, now, packet);
  if (opcode == wire::Opcode::kRcAtomicWrite) return handle_atomic_write(engine, qp, now, packet);
  if (opcode == wire::Opcode::kRcFlush) return handle_flush(engine, qp, now, packet);
  handle_read(engine, qp, now, packet);
}

}  // namespace rocelab::rxe::responder
