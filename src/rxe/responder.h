// The receiving half of RC: executes the peer's requests in the order of their PSNs, once each, and notes what answer
// is owed; response_sender.h says it. Everything about a request is checked before the first byte is written. IBTA
// vol 1, 9.7.4 and 9.9.3; the table of reactions to faults is in refuse().
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe::responder {

/// An RC request has arrived.
void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);

/// No receive is posted: the peer is to try again after a while (IBTA vol 1, 9.7.5.2.8).
void refuse_for_now(Engine& engine, Qp& qp);
/// Why a request is refused for good; each kind has its NAK, its event and the status of a receive it has taken.
enum class Refusal : std::uint8_t {
  kInvalidRequest,   ///< it breaks the protocol
  kAccess,           ///< rkey, range or rights
  kReceiveTooShort,  ///< the receive is shorter than the message
  kReceiveMemory,    ///< the receive's own memory is not what it claims
};
/// NAK, completion of the receive that was taken, event, ERR. `psn` is the request's; `reason` is used with
/// kReceiveMemory alone.
void refuse(Engine& engine, Qp& qp, TimePoint now, wire::Psn psn, Refusal refusal,
            VendorError reason = VendorError::kNone);

}  // namespace rocelab::rxe::responder
