// The responder under selective repeat: SEND and WRITE packets are placed in whatever order they come, messages
// complete in order; READs and atomics are executed in order alone. Called by responder.cc and response_sender.cc for
// QPs with Qp::selective.
#pragma once

#include "rxe/transmit.h"

namespace rocelab::rxe::selective {

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);
/// A part of a READ is asked for again; `resource` is the READ's, and the part lies within it.
void repeat_read(Engine& engine, Qp& qp, const ResponderResource& resource, const wire::Packet& packet);
/// Does a repeated part of a READ wait?
inline bool owes_repair(const Qp& qp) { return qp.selective != nullptr && !qp.selective->responder.repairs.empty(); }
/// Offers the next packet of it.
Offer offer_repair(Engine& engine, Qp& qp, TxSink& sink);
/// Something is missing before what has come.
inline bool has_gap(const Qp& qp) {
  return qp.selective->responder.gap || qp.selective->responder.arrived.count() != 0;
}
/// What an ACK or NAK says beside its PSN: which packets have come out of order, if any.
void add_bits(Qp& qp, wire::Packet& packet);
/// The responder's half is as new; receives that it holds are given to `flush`.
template <class Flush>
void forget_arrivals(Qp& qp, const Flush& flush) {
  SelectiveResponder& state = qp.selective->responder;
  for (; !state.held.empty(); state.held.pop()) flush(state.held.front());
  state.arrived.clear();
  state.finished.clear();
  state.repairs.clear();
  state.gap = false;
}

}  // namespace rocelab::rxe::selective
