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
/// The peer has made progress: the counts of retries start anew, the timer too, and what is done retires.
void note_progress(Engine& engine, Qp& qp, TimePoint now);
/// The request after what has been acknowledged met no receive.
void handle_rnr_nak(Engine& engine, Qp& qp, TimePoint now, std::uint8_t timer_code);
/// A NAK that ends the QP: the request that it names is the oldest.
void handle_fatal_nak(Engine& engine, Qp& qp, TimePoint now, const wire::Aeth& aeth);
/// Completes the requests at the front that are done; a failed one at the front takes the QP down.
void retire(Engine& engine, Qp& qp, TimePoint now);

}  // namespace rocelab::rxe::completer
