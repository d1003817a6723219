// SEND and RDMA WRITE at the receiving side: what RC and UC have in common. Each step is a check that changes nothing
// or an execution that cannot fail; those of WRITE, the hot ones, are inline. Called by responder.cc and
// uc_responder.cc.
#pragma once

#include "rxe/engine.h"
#include "rxe/local_memory.h"

namespace rocelab::rxe {

/// Does the packet continue the current message, or begin one where none is under way? IBTA vol 1, 9.7.4.1.4.
inline bool opcode_in_order(const ResponderState& responder, wire::Opcode opcode) {
  const bool idle = responder.message == ResponderState::Message::kNone;
  if (wire::starts_message(opcode)) return idle;
  if (wire::is_send(opcode)) return responder.message == ResponderState::Message::kSend;
  if (wire::is_write(opcode)) return responder.message == ResponderState::Message::kWrite;
  return false;
}

/// Payload length against the packet's place in its message and the path MTU, and against the RETH: IBTA vol 1,
/// 9.7.4.1.6.
inline bool length_in_order(const Qp& qp, const wire::Packet& packet, std::uint64_t message_bytes_max) {
  const wire::Opcode opcode = packet.bth.opcode;
  const std::uint32_t length = packet.payload.length;
  const bool starts = wire::starts_message(opcode);
  const bool ends = wire::ends_message(opcode);
  if (ends ? length > qp.mtu || (length == 0 && !starts) : length != qp.mtu) return false;
  if (!wire::is_write(opcode)) return starts || std::uint64_t{qp.responder.received} + length <= message_bytes_max;
  if (starts && packet.reth.dma_length > message_bytes_max) return false;
  const std::uint32_t left = starts ? packet.reth.dma_length : qp.responder.write_left;
  return ends ? length == left : length < left;
}

/// Takes the next receive into responder.held; false when there is none.
bool take_receive(Qp& qp);

/// Begins a SEND, whose receive is held.
void begin_send(Qp& qp);

/// Begins a WRITE, whose first packet goes to `host`.
inline void begin_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte* host) {
  ResponderState& responder = qp.responder;
  responder.message = ResponderState::Message::kWrite;
  responder.received = 0;
  responder.write_addr = packet.reth.virtual_address;
  responder.write_rkey = packet.reth.rkey;
  responder.write_left = packet.reth.dma_length;
  responder.write_host = host;
  responder.write_generation = engine.regions.generation();
}

/// May the WRITE that this packet begins or continues go where it wants? On success `host` is where this packet's
/// bytes go.
inline mm::AccessFault check_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte*& host) {
  ResponderState& responder = qp.responder;
  if (wire::starts_message(packet.bth.opcode)) {
    if ((qp.remote_access & access::kRemoteWrite) == 0) return mm::AccessFault::kNoRight;
    // The whole message is checked at once.
    const wire::Reth& reth = packet.reth;
    const mm::Translation found = engine.regions.check_remote(reth.rkey, qp.pd_number, qp.qpn, reth.virtual_address,
                                                              reth.dma_length, access::kRemoteWrite);
    host = found.host;
    return found.ok() ? check_writable(host, packet.payload.length) : found.fault;
  }
  if (responder.write_generation != engine.regions.generation()) {
    const mm::Translation found = engine.regions.check_remote(
        responder.write_rkey, qp.pd_number, qp.qpn, responder.write_addr, responder.write_left, access::kRemoteWrite);
    if (!found.ok()) return found.fault;
    responder.write_host = found.host;
    responder.write_generation = engine.regions.generation();
  }
  host = responder.write_host;
  return check_writable(host, packet.payload.length);
}

/// Where this packet's bytes go in the held receive (engine.places).
Places place_send(Engine& engine, const Qp& qp, const wire::Packet& packet);
/// Copies the payload of a SEND to its places.
void execute_send(Engine& engine, Qp& qp, const wire::Packet& packet, const Places& places);

/// Copies the payload of a WRITE to `host`.
inline void execute_write(Qp& qp, const wire::Packet& packet, std::byte* host) {
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

/// The last packet of a SEND, or of a WRITE with immediate data, has been executed: completes the held receive.
void complete_message(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);

}  // namespace rocelab::rxe
