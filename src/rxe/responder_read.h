// RDMA READ and the atomics at the responder: checking, executing (atomics), recording in the QP's responder resources,
// repeating. The answers are sent by response_sender.h. IBTA vol 1, 9.7.4.1.2, 9.7.5.1.3 to 9.7.5.1.5.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe::responder {

/// A new request, at the expected PSN.
void handle_read(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
void handle_atomic(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
void handle_atomic_write(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
void handle_flush(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// A request seen before. Dropped when it contradicts what is remembered.
void repeat_read(Engine& engine, Qp& qp, const wire::Packet& packet);
void repeat_recorded(Engine& engine, Qp& qp, const wire::Packet& packet, ResponderResource::Kind kind);

}  // namespace rocelab::rxe::responder
