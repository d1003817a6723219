// UD and the GSI QP: one packet a message, an address handle a request, no answers; multicast in both directions. IBTA
// vol 1, 9.8.3 (UD), 9.9 (errors), 10.5 (multicast).
#pragma once

#include "rxe/transmit.h"

namespace rocelab::rxe::datagram {

/// Offers the next datagram of the QP.
Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);
/// A datagram for this QP has arrived.
void handle_datagram(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// A datagram for a multicast group has arrived: every attached QP gets a copy.
void handle_multicast(Engine& engine, TimePoint now, const wire::Packet& packet);

}  // namespace rocelab::rxe::datagram
