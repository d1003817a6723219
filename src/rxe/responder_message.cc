// See responder_message.h.
#include "rxe/responder_message.h"

#include "rxe/completions.h"

namespace rocelab::rxe {

bool take_receive(Qp& qp) {
  HeldReceive& held = qp.responder.held;
  return qp.srq != nullptr ? qp.srq->take(held) : qp.receive_queue.take(held);
}

void begin_send(Qp& qp) {
  ResponderState& responder = qp.responder;
  responder.message = ResponderState::Message::kSend;
  responder.received = 0;
  responder.cursor = {};
}

Places place_send(Engine& engine, const Qp& qp, const wire::Packet& packet) {
  return find_places(engine.regions, qp.receive_pd, qp.responder.held.sges(), qp.responder.cursor,
                     packet.payload.length, engine.places.data());
}

void execute_send(Engine& engine, Qp& qp, const wire::Packet& packet, const Places& places) {
  fill(std::span(engine.places.data(), places.count), packet.payload);
  qp.responder.cursor = places.end;
  qp.responder.received += packet.payload.length;
}

void complete_message(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  ResponderState& responder = qp.responder;
  const wire::Opcode opcode = packet.bth.opcode;
  Received received;
  received.opcode = wire::is_write(opcode) ? WcOpcode::kRecvRdmaWithImm : WcOpcode::kRecv;
  received.byte_len = responder.received;
  received.source_qpn = qp.attr.dest_qpn;
  received.service_level = packet.path.priority;
  received.solicited = packet.bth.solicited;
  if (wire::has_immediate(opcode)) {
    received.flags = wc_flag::kWithImm;
    received.immediate = packet.imm_dt.value;
  } else if (wire::has_ieth(opcode)) {
    received.flags = wc_flag::kWithInv;
    received.immediate = packet.ieth.rkey;
  }
  complete_receive(qp, now, responder.held.wr_id(), received);
  responder.held.release();
  ++engine.counters.rdma_recvs;
}

}  // namespace rocelab::rxe
