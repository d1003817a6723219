// See responder_message.h.
#include "rxe/responder_message.h"

#include "rxe/completions.h"

namespace rocelab::rxe {

using Message = ResponderState::Message;

bool opcode_in_order(const ResponderState& responder, wire::Opcode opcode) {
  const bool idle = responder.message == Message::kNone;
  if (wire::starts_message(opcode)) return idle;
  if (wire::is_send(opcode)) return responder.message == Message::kSend;
  if (wire::is_write(opcode)) return responder.message == Message::kWrite;
  return false;
}

bool length_in_order(const Qp& qp, const wire::Packet& packet, std::uint64_t message_bytes_max) {
  const wire::Opcode opcode = packet.bth.opcode;
  const std::uint32_t length = packet.payload.length;
  const bool starts = wire::starts_message(opcode);
  const bool ends = wire::ends_message(opcode);
  if (ends ? length > qp.mtu || (length == 0 && !starts) : length != qp.mtu) return false;
  if (!wire::is_write(opcode)) return true;
  if (starts && packet.reth.dma_length > message_bytes_max) return false;
  const std::uint32_t left = starts ? packet.reth.dma_length : qp.responder.write_left;
  return ends ? length == left : length < left;
}

bool take_receive(Qp& qp) {
  HeldReceive& held = qp.responder.held;
  return qp.srq != nullptr ? qp.srq->take(held) : qp.receive_queue.take(held);
}

void begin_send(Qp& qp) {
  ResponderState& responder = qp.responder;
  responder.message = Message::kSend;
  responder.received = 0;
  responder.cursor = {};
}

void begin_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte* host) {
  ResponderState& responder = qp.responder;
  responder.message = Message::kWrite;
  responder.received = 0;
  responder.write_addr = packet.reth.virtual_address;
  responder.write_rkey = packet.reth.rkey;
  responder.write_left = packet.reth.dma_length;
  responder.write_host = host;
  responder.write_generation = engine.regions.generation();
}

mm::AccessFault check_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte*& host) {
  ResponderState& responder = qp.responder;
  if (wire::starts_message(packet.bth.opcode)) {
    if ((qp.remote_access & access::kRemoteWrite) == 0) return mm::AccessFault::kNoRight;
    // The whole message is checked at once.
    const wire::Reth& reth = packet.reth;
    const mm::Translation found = engine.regions.check_remote(reth.rkey, qp.pd_number, qp.qpn, reth.virtual_address,
                                                              reth.dma_length, access::kRemoteWrite);
    host = found.host;
    return found.fault;
  }
  if (responder.write_generation != engine.regions.generation()) {
    const mm::Translation found = engine.regions.check_remote(
        responder.write_rkey, qp.pd_number, qp.qpn, responder.write_addr, responder.write_left, access::kRemoteWrite);
    if (!found.ok()) return found.fault;
    responder.write_host = found.host;
    responder.write_generation = engine.regions.generation();
  }
  host = responder.write_host;
  return mm::AccessFault::kNone;
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

void execute_write(Qp& qp, const wire::Packet& packet, std::byte* host) {
  ResponderState& responder = qp.responder;
  const std::uint32_t length = packet.payload.length;
  if (host != nullptr && packet.payload.data != nullptr) {
    place_bytes(host, packet.payload.data, length);
    responder.write_host = host + length;
  }
  responder.write_addr += length;
  responder.write_left -= length;
  responder.received += length;
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
