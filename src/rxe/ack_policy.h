// When a responder acknowledges. An ACK that is owed leaves at the next poll_transmit and carries the latest PSN, so
// that several requests that arrived in one burst share one: coalescing costs no timer. IBTA vol 1, 9.7.5.1.1.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe {

/// Does an executed SEND or WRITE packet call for an ACK? When it asks, and when a message is complete.
inline bool wants_ack(const wire::Bth& bth) { return bth.ack_request || wire::ends_message(bth.opcode); }

/// A positive ACK of everything executed is to be sent; an obsolete NAK is forgotten.
inline void owe_ack(Engine& engine, Qp& qp) {
  if (qp.responder.owed == OwedAck::kAck) {
    ++engine.counters.ack_deferred;
    return;
  }
  qp.responder.owed = OwedAck::kAck;
  engine.add_control(qp);
}

}  // namespace rocelab::rxe
