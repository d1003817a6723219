// See response_sender.h.
#include "rxe/response_sender.h"

#include <algorithm>
#include <utility>

#include "rxe/responder.h"
#include "rxe/selective_responder.h"
#include "wire/aeth.h"

namespace rocelab::rxe::response_sender {

namespace {

/// Prepares the QP's template for a response; the path and the destination are in it already.
wire::Packet& prepare(Qp& qp, wire::Opcode opcode, wire::Psn psn) {
  wire::Packet& packet = qp.packet;
  packet.bth.opcode = static_cast<wire::Opcode>(static_cast<unsigned>(opcode) | qp.opcode_base);
  packet.bth.psn = psn;
  packet.bth.solicited = false;
  packet.bth.ack_request = false;
  packet.bth.becn = false;
  packet.payload = {};
  return packet;
}

/// Hands over an ACK, NAK or CNP, in its own priority when there is one.
bool send_control(const Engine& engine, Qp& qp, TxSink& sink) {
  const std::uint8_t priority = engine.options.control_priority;
  if (priority == DeviceOptions::kOwnPriority) [[likely]]
    return sink.transmit(qp.packet);
  const std::uint8_t own = std::exchange(qp.packet.path.priority, priority);
  const bool taken = sink.transmit(qp.packet);
  qp.packet.path.priority = own;
  return taken;
}

/// Hands over an ACK or NAK with what it echoes of the newest request: the switches' notes, and its port where a packet
/// has one of its own.
bool send_answer(const Engine& engine, Qp& qp, TxSink& sink) {
  if (qp.echo == nullptr && engine.options.entropy == Entropy::kPerQp) [[likely]]
    return send_control(engine, qp, sink);
  wire::Packet& packet = qp.packet;
  if (qp.echo != nullptr) packet.telemetry = std::span(qp.echo->hops).first(qp.echo->count);
  const std::uint16_t own = packet.path.udp_source_port;
  if (engine.options.entropy != Entropy::kPerQp) packet.path.udp_source_port = qp.responder.source_port;
  const bool taken = send_control(engine, qp, sink);
  packet.path.udp_source_port = own;
  packet.telemetry = {};
  if (taken && qp.echo != nullptr) qp.echo->count = 0;
  return taken;
}

Offer offer_cnp(Engine& engine, Qp& qp, TxSink& sink) {
  wire::Packet& packet = prepare(qp, wire::Opcode{}, wire::Psn(0));
  packet.bth.opcode = wire::Opcode::kCnp;
  packet.bth.becn = true;
  if (!send_control(engine, qp, sink)) return Offer::kRefused;
  count_sent(engine, packet);
  ++engine.counters.cnp_sent;
  qp.responder.cnp_owed = false;
  return Offer::kTaken;
}

/// The result of an atomic, or the empty READ response that confirms a FLUSH or an atomic WRITE.
Offer offer_recorded(Engine& engine, Qp& qp, const ResponderResource& resource, TxSink& sink) {
  const bool atomic = resource.kind == ResponderResource::Kind::kAtomic;
  wire::Packet& packet = prepare(
      qp, atomic ? wire::Opcode::kRcAtomicAcknowledge : wire::Opcode::kRcRdmaReadResponseOnly, resource.first_psn);
  packet.aeth = wire::Aeth::ack(resource.msn);
  packet.atomic_ack_eth.original = resource.original;
  if (!sink.transmit(packet)) return Offer::kRefused;
  count_sent(engine, packet);
  qp.resources.finish_first();
  return Offer::kTaken;
}

/// The region, or on-demand memory, may have vanished since the READ was accepted.
bool still_readable(Engine& engine, const Qp& qp, ResponderResource& resource) {
  if (resource.generation == engine.regions.generation()) [[likely]]
    return true;
  const mm::Translation found = engine.regions.check_remote(resource.rkey, resource.pd, qp.qpn, resource.run_addr,
                                                            resource.run_length, access::kRemoteRead);
  if (!found.ok()) return false;
  resource.run_host = found.host;
  resource.generation = engine.regions.generation();
  return true;
}

Offer refuse_rest(Engine& engine, Qp& qp, TimePoint now, wire::Psn psn, TxSink& sink) {
  qp.resources.clear();
  if (qp.state != QpState::kErr) {
    responder::refuse(engine, qp, now, psn, responder::Refusal::kAccess);
  } else {
    qp.responder.owed = OwedAck::kNak;
    qp.responder.nak_psn = psn;
    qp.responder.nak_syndrome = wire::Aeth::nak(wire::NakCode::kRemoteAccessError, 0).syndrome;
  }
  return poll(engine, qp, now, sink);
}

Offer offer_read_response(Engine& engine, Qp& qp, TimePoint now, ResponderResource& resource, TxSink& sink) {
  const wire::Psn psn = resource.run_psn + resource.run_sent;
  if (!still_readable(engine, qp, resource)) [[unlikely]]
    return refuse_rest(engine, qp, now, psn, sink);
  const bool first = resource.run_sent == 0;
  const bool last = resource.run_sent + 1 == resource.run_packets;
  using wire::Opcode;
  const Opcode opcode = first ? (last ? Opcode::kRcRdmaReadResponseOnly : Opcode::kRcRdmaReadResponseFirst)
                              : (last ? Opcode::kRcRdmaReadResponseLast : Opcode::kRcRdmaReadResponseMiddle);
  wire::Packet& packet = prepare(qp, opcode, psn);
  packet.aeth = wire::Aeth::ack(resource.msn);
  const std::uint32_t offset = resource.run_sent * qp.mtu;
  packet.payload.length = std::min(resource.run_length - offset, qp.mtu);
  if (resource.run_host != nullptr) packet.payload.data = resource.run_host + offset;
  if (!fetch(engine.bounce, packet.payload)) [[unlikely]]
    return refuse_rest(engine, qp, now, psn, sink);
  if (!sink.transmit(packet)) return Offer::kRefused;
  count_sent(engine, packet);
  ++resource.run_sent;
  if (last) qp.resources.finish_first();
  return Offer::kTaken;
}

Offer offer_ack(Engine& engine, Qp& qp, TxSink& sink) {
  ResponderState& responder = qp.responder;
  const bool nak = responder.owed == OwedAck::kNak;
  // Never a READ's or an atomic's PSN (it may be the newest when a duplicate is acknowledged): only their responses
  // answer them, but Linux's rdma_rxe takes an ACK of their PSN for the answer and completes them without data.
  const wire::Psn newest = qp.selective != nullptr ? responder.expected_psn - 1 : responder.ack_psn;
  const wire::Psn psn = nak ? responder.nak_psn : newest;
  wire::Packet& packet = prepare(qp, wire::Opcode::kRcAcknowledge, psn);
  packet.aeth = {nak ? responder.nak_syndrome : wire::Aeth::kCreditsInvalid, responder.msn};
  if (qp.selective != nullptr) [[unlikely]] {
    if (!nak && selective::has_gap(qp))
      packet.aeth.syndrome = wire::Aeth::nak(wire::NakCode::kPsnSequenceError, 0).syndrome;
    selective::add_bits(qp, packet);
  }
  packet.bth.becn = responder.marked;
  if (!send_answer(engine, qp, sink)) return Offer::kRefused;
  count_sent(engine, packet);
  responder.marked = false;
  if (qp.selective != nullptr) qp.selective->responder.gap = false;
  responder.owed = OwedAck::kNone;
  responder.parting = false;
  return Offer::kTaken;
}

}  // namespace

Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  if (!processes_requests(qp.state) && !qp.responder.parting) return Offer::kNothing;
  const bool separate = engine.options.control_priority != DeviceOptions::kOwnPriority;
  if (!separate && qp.responder.cnp_owed) [[unlikely]]
    return offer_cnp(engine, qp, sink);
  if (selective::owes_repair(qp)) [[unlikely]] {
    const Offer repair = selective::offer_repair(engine, qp, sink);
    if (repair != Offer::kNothing) return repair;
  }
  if (ResponderResource* resource = qp.resources.first_active()) {
    return resource->kind == ResponderResource::Kind::kRead ? offer_read_response(engine, qp, now, *resource, sink)
                                                            : offer_recorded(engine, qp, *resource, sink);
  }
  if (qp.responder.owed == OwedAck::kNone) return Offer::kNothing;
  if (!separate) return offer_ack(engine, qp, sink);
  engine.ready.control.add(qp);  // it had to wait for the answers before it
  return Offer::kNothing;
}

Offer poll_control(Engine& engine, Qp& qp, TxSink& sink) {
  if (!processes_requests(qp.state) && !qp.responder.parting) return Offer::kNothing;
  if (qp.responder.cnp_owed) return offer_cnp(engine, qp, sink);
  if (qp.responder.owed == OwedAck::kNone || qp.resources.first_active() != nullptr) return Offer::kNothing;
  return offer_ack(engine, qp, sink);
}

}  // namespace rocelab::rxe::response_sender
