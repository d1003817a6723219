// The sending half of RC and UC: takes work requests in order, checks and numbers them, and cuts them into packets, one
// at a time as poll_transmit asks. What comes back is the completer's (completer.h). IBTA vol 1, 9.7.3 and 9.8.2.
#pragma once

#include "rxe/selective_requester.h"
#include "rxe/transmit.h"

namespace rocelab::rxe::requester {

/// Offers the next request packet.
Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);
/// The request that send_position names, begun if it may be; work that sends nothing is done on the way. nullptr:
/// there is nothing that may be sent. Datagrams use it too.
SendWqe* current(Engine& engine, Qp& qp, TimePoint now);
/// The memory of a request begun earlier may have been deregistered since; if so, the request fails.
bool still_located(Engine& engine, Qp& qp, TimePoint now, std::uint64_t position, SendWqe& wqe);
/// On-demand memory of a request that has been begun is not there: the request fails.
void not_mapped(Engine& engine, Qp& qp, TimePoint now, SendWqe& wqe);
/// What a packet just built has to say beyond the usual (Qp::unusual): where it alone goes, under selective repeat; its
/// own UDP source port, where not all of a QP's take the same; the receive queue of an XRC request.
void finish_packet(Engine& engine, Qp& qp, const SendWqe& wqe, std::uint64_t psn);
/// How long the oldest packet's acknowledgement is waited for; zero: for ever.
inline Duration ack_timeout(const Engine& engine, const Qp& qp) {
  return qp.selective == nullptr ? qp.ack_timeout : selective::retransmission_timeout(engine, qp);
}
/// The next packet is the one with this PSN (go-back-N).
void rewind(Qp& qp, std::uint64_t psn);

/// Device::hold_requests: it is not time yet; the timer brings the QP back.
inline bool held(Engine& engine, Qp& qp, TimePoint now) {
  if (!qp.requester.holds) [[likely]]
    return false;
  if (qp.requester.held_until <= now) return qp.requester.holds = false;
  qp.timers.arm(engine.timers, Deadline::kPacing, qp.requester.held_until);
  return true;
}

}  // namespace rocelab::rxe::requester
