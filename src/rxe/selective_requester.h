// The requester under selective repeat: what to send again, and what comes back. Called by requester.cc and
// completer.cc for QPs with Qp::selective.
#pragma once

#include "rxe/transmit.h"

namespace rocelab::rxe::selective {

/// Says in the packet at `psn` where it alone goes. Its length: of a SEND how far the message reaches with it; of a
/// WRITE how far the message goes on from here, so that all of it is checked, and in the last packet how long it is.
void address(Qp& qp, const SendWqe& wqe, std::uint64_t psn);
/// Offers a packet that has to be sent again; kNothing when there is none.
Offer poll_again(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);
/// May that happen now?
inline bool may_resend(const Qp& qp) { return qp.selective->requester.recovering; }
/// A response has arrived; returns the PSN that it answers.
std::uint64_t handle_response(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// Nothing has been acknowledged for the retransmission timeout: the oldest packet is sent again, and when that has
/// been answered everything that is missing.
void probe(Qp& qp);
/// How long to wait for an acknowledgement: RTO_low with few packets in flight, else RTO_high; twice as long at each
/// timeout in a row.
Duration retransmission_timeout(const Engine& engine, const Qp& qp);
/// PSNs in flight that nothing has been heard of.
inline std::uint64_t in_flight(const Qp& qp) {
  return qp.requester.next_psn - qp.requester.unacked_psn - qp.selective->requester.done.count();
}
/// PSNs that the responder has, counted since the QP's beginning.
inline std::uint64_t delivered(const Qp& qp) { return qp.requester.unacked_psn + qp.selective->requester.done.count(); }
/// The requester has nothing begun: its half is as new.
void forget_requests(Qp& qp);

}  // namespace rocelab::rxe::selective
