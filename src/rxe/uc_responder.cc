// See uc_responder.h.
#include "rxe/uc_responder.h"

#include "rxe/completions.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/responder_message.h"

namespace rocelab::rxe::uc_responder {

namespace {

using Message = ResponderState::Message;

/// The current message is dropped; packets up to the next first one are too.
void abandon(Qp& qp) { qp.responder.message = Message::kNone; }

/// The receive itself is at fault: it completes in error, and the QP goes to ERR (IBTA vol 1, 9.9.3).
void fail_receive(Engine& engine, Qp& qp, TimePoint now, WcStatus status, VendorError reason) {
  complete_receive_error(qp, now, qp.responder.held.wr_id(), status, reason);
  qp.responder.held.release();
  enter_error(engine, qp, now, VendorError::kFlushedByError);
}

/// The receive for this message: the one that an abandoned message left, or the next.
bool hold_receive(Engine& engine, Qp& qp) {
  if (qp.responder.held.held() || take_receive(qp)) return true;
  ++engine.counters.drop_no_receive;
  abandon(qp);
  return false;
}

void finish(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  if (!wire::ends_message(packet.bth.opcode)) return;
  qp.responder.message = Message::kNone;
  if (wire::is_send(packet.bth.opcode) || wire::has_immediate(packet.bth.opcode)) {
    complete_message(engine, qp, now, packet);
  }
}

void handle_send(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  ResponderState& responder = qp.responder;
  if (wire::starts_message(packet.bth.opcode)) {
    if (!hold_receive(engine, qp)) return;
    begin_send(qp);
  }
  if (std::uint64_t{responder.received} + packet.payload.length > responder.held.length()) {
    ++engine.counters.drop_too_long;
    return abandon(qp);
  }
  const Places places = place_send(engine, qp, packet);
  if (places.fault != mm::AccessFault::kNone) {
    return fail_receive(engine, qp, now, WcStatus::kLocProtErr, local_error(places.fault));
  }
  execute_send(engine, qp, packet, places);
  finish(engine, qp, now, packet);
}

void handle_write(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  std::byte* host = nullptr;
  if (check_write(engine, qp, packet, host) != mm::AccessFault::kNone) {
    ++engine.counters.drop_access;
    return abandon(qp);
  }
  if (wire::has_immediate(packet.bth.opcode) && !hold_receive(engine, qp)) return;
  if (wire::starts_message(packet.bth.opcode)) begin_write(engine, qp, packet, host);
  execute_write(qp, packet, host);
  finish(engine, qp, now, packet);
}

}  // namespace

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  ResponderState& responder = qp.responder;
  const wire::Opcode opcode = packet.bth.opcode;
  const bool in_sequence = packet.bth.psn == responder.expected_psn;
  if (!in_sequence) ++engine.counters.out_of_seq_request;
  // Whatever comes, the next packet's PSN is one more; a gap or a new beginning ends the message under way.
  if (!in_sequence || wire::starts_message(opcode)) {
    if (responder.message != Message::kNone) ++engine.counters.drop_bad_sequence;
    abandon(qp);
  }
  if (!opcode_in_order(responder, opcode)) {
    ++engine.counters.drop_bad_sequence;
    return abandon(qp);
  }
  responder.expected_psn = packet.bth.psn + 1;
  if (!length_in_order(qp, packet, engine.options.limits.max_msg_size)) {
    ++engine.counters.drop_too_long;
    return abandon(qp);
  }
  if (wire::is_write(opcode)) {
    handle_write(engine, qp, now, packet);
  } else {
    handle_send(engine, qp, now, packet);
  }
}

}  // namespace rocelab::rxe::uc_responder
