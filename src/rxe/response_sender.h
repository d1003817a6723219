// What a responder says: congestion notifications, READ responses and atomic results in the order of their requests,
// then an ACK or NAK. Asked by poll_transmit, one packet at a time, so that a long READ never floods a port. IBTA
// vol 1, 9.7.5.1; CNP: annex A17.9.3.
#pragma once

#include "rxe/selective_responder.h"
#include "rxe/transmit.h"

namespace rocelab::rxe::response_sender {

/// Offers the next response packet.
Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);
/// Offers the next CNP, ACK or NAK where these have a priority of their own (DeviceOptions::control_priority); poll
/// then leaves them out.
Offer poll_control(Engine& engine, Qp& qp, TxSink& sink);
/// Is there anything to say?
inline bool owes(Qp& qp) {
  return qp.responder.owed != OwedAck::kNone || qp.resources.first_active() != nullptr || qp.responder.cnp_owed ||
         selective::owes_repair(qp);
}

}  // namespace rocelab::rxe::response_sender
