// SEND and RDMA WRITE at the receiving side: what RC and UC have in common. Each step is a check that changes nothing
// or an execution that cannot fail. Called by responder.cc and uc_responder.cc.
#pragma once

#include "rxe/engine.h"
#include "rxe/local_memory.h"

namespace rocelab::rxe {

/// Does the packet continue the current message, or begin one where none is under way? IBTA vol 1, 9.7.4.1.4.
bool opcode_in_order(const ResponderState& responder, wire::Opcode opcode);
/// Payload length against the packet's place in its message and the path MTU, and against the RETH: IBTA vol 1,
/// 9.7.4.1.6.
bool length_in_order(const Qp& qp, const wire::Packet& packet, std::uint64_t message_bytes_max);

/// Takes the next receive into responder.held; false when there is none.
bool take_receive(Qp& qp);

/// Begins a SEND (its receive is held) or a WRITE.
void begin_send(Qp& qp);
void begin_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte* host);

/// May the WRITE that this packet begins or continues go where it wants? On success `host` is where this packet's
/// bytes go.
mm::AccessFault check_write(Engine& engine, Qp& qp, const wire::Packet& packet, std::byte*& host);

/// Where this packet's bytes go in the held receive (engine.places).
Places place_send(Engine& engine, const Qp& qp, const wire::Packet& packet);
/// Copies the payload of a SEND to its places, of a WRITE to `host`.
void execute_send(Engine& engine, Qp& qp, const wire::Packet& packet, const Places& places);
void execute_write(Qp& qp, const wire::Packet& packet, std::byte* host);

/// The last packet of a SEND, or of a WRITE with immediate data, has been executed: completes the held receive.
void complete_message(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);

}  // namespace rocelab::rxe
