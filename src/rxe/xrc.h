// The target's half of XRC (IBTA annex A14): every request names the shared receive queue that it is for, and with it
// the protection domain whose memory it may touch and the completion queue that its receives go to. A target borrows
// all three from the queue of the request being executed; the rest is RC's responder.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe::xrc {

/// The number that peers name the queue by: unique among the processes of a host, as QP numbers are.
inline std::uint32_t number_of(const Engine& engine, SrqId srq) {
  return engine.options.qpn_first + static_cast<std::uint32_t>(srq);
}
/// A request for an XRC target has arrived. One for a queue that does not exist, belongs to another domain or changes
/// within a message is refused as invalid.
void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// The QP lets go of the queue that it has borrowed from last.
void release(Qp& qp);
/// The queue is about to be destroyed: no QP knows it afterwards. A message that was filling one of its receives is
/// refused when it goes on.
void forget(Engine& engine, const SharedReceiveQueue& srq);

}  // namespace rocelab::rxe::xrc
