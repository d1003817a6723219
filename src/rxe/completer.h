// What comes back to a requester: acknowledgements, NAKs, READ responses, atomic results, and silence. Acknowledges,
// completes and retires send requests in order; decides about retries. IBTA vol 1, 9.7.5 and 9.9.2.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe::completer {

/// An RC response has arrived.
void handle_response(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// Nothing has been acknowledged for the local ACK timeout.
void handle_ack_timeout(Engine& engine, Qp& qp, TimePoint now);
/// The pause that an RNR NAK asked for is over.
void handle_rnr_timeout(Engine& engine, Qp& qp);
/// Completes the requests at the front that are done; a failed one at the front takes the QP down.
void retire(Engine& engine, Qp& qp, TimePoint now);

}  // namespace rocelab::rxe::completer
