// See selective_responder.h. Out of order, what cannot be placed is treated as if it had not come: it is sent again,
// and its fault found when its turn has come.
#include "rxe/selective_responder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rxe/ack_policy.h"
#include "rxe/completions.h"
#include "rxe/local_memory.h"
#include "rxe/responder.h"
#include "rxe/responder_message.h"
#include "rxe/responder_read.h"
#include "wire/aeth.h"

namespace rocelab::rxe::selective {

namespace {

using responder::Refusal;
using wire::Operation;

/// What became of a packet's bytes.
enum class Placed : std::uint8_t { kYes, kNoReceive, kTooLong, kAccess, kReceiveMemory, kMalformed };

struct Placement {
  Placed outcome = Placed::kYes;
  VendorError reason = VendorError::kNone;
};

bool takes_receive(wire::Opcode opcode) {
  return wire::is_send(opcode) || (wire::is_write(opcode) && wire::has_immediate(opcode));
}

PieceCursor cursor_at(std::span<const Sge> sges, std::uint64_t offset) {
  PieceCursor cursor;
  while (cursor.piece < sges.size() && offset >= sges[cursor.piece].length) offset -= sges[cursor.piece++].length;
  cursor.offset = static_cast<std::uint32_t>(offset);
  return cursor;
}

/// The receive of a message by its number; taken, with those before it, when it has not been yet.
HeldReceive* receive_of(Qp& qp, std::uint32_t number) {
  SelectiveResponder& state = qp.selective->responder;
  const std::uint32_t ahead = number - state.message;
  if (ahead >= SelectiveResponder::kHeldMax) return nullptr;
  while (state.held.size() <= ahead) {
    if (qp.srq != nullptr ? qp.srq->empty() : qp.receive_queue.empty()) return nullptr;
    if (state.held.needs_storage()) state.held.grow();
    HeldReceive& taken = state.held.push();
    taken.reserve(qp.srq != nullptr ? qp.srq->max_sge() : qp.receive_queue.max_sge());
    qp.srq != nullptr ? qp.srq->take(taken) : qp.receive_queue.take(taken);
  }
  return &state.held.at(state.held.head() + ahead);
}

Placement place_send(Engine& engine, Qp& qp, const wire::Packet& packet) {
  const std::uint32_t end = packet.reth.dma_length;
  if (end < packet.payload.length) return {Placed::kMalformed, {}};
  const HeldReceive* held = receive_of(qp, static_cast<std::uint32_t>(packet.reth.virtual_address));
  if (held == nullptr) return {Placed::kNoReceive, {}};
  if (end > held->length()) return {Placed::kTooLong, {}};
  const PieceCursor from = cursor_at(held->sges(), end - packet.payload.length);
  const Places places =
      find_places(engine.regions, qp.receive_pd, held->sges(), from, packet.payload.length, engine.places.data());
  if (places.fault != mm::AccessFault::kNone) return {Placed::kReceiveMemory, local_error(places.fault)};
  fill(std::span(engine.places.data(), places.count), packet.payload);
  return {};
}

Placement place_write(Engine& engine, Qp& qp, const wire::Packet& packet) {
  const wire::Reth& reth = packet.reth;
  if (reth.dma_length < packet.payload.length) return {Placed::kMalformed, {}};
  if ((qp.remote_access & access::kRemoteWrite) == 0) return {Placed::kAccess, {}};
  // The rest of the message is checked with each of its packets, so that nothing of one that goes too far is written.
  const std::uint32_t checked = wire::ends_message(packet.bth.opcode) ? packet.payload.length : reth.dma_length;
  const mm::Translation found =
      engine.regions.check_remote(reth.rkey, qp.pd_number, qp.qpn, reth.virtual_address, checked, access::kRemoteWrite);
  if (!found.ok() || check_writable(found.host, packet.payload.length) != mm::AccessFault::kNone) {
    return {Placed::kAccess, {}};
  }
  if (found.host != nullptr && packet.payload.data != nullptr) {
    place_bytes(found.host, packet.payload.data, packet.payload.length);
  }
  return {};
}

Placement place(Engine& engine, Qp& qp, const wire::Packet& packet) {
  const bool whole = wire::ends_message(packet.bth.opcode) || packet.payload.length == qp.mtu;
  if (!whole || packet.payload.length > qp.mtu || packet.reth.dma_length > engine.options.limits.max_msg_size) {
    return {Placed::kMalformed, {}};
  }
  return wire::is_write(packet.bth.opcode) ? place_write(engine, qp, packet) : place_send(engine, qp, packet);
}

/// The message completes when everything before this packet, its last, has come.
void note_finished(Qp& qp, const wire::Packet& packet) {
  if (!wire::ends_message(packet.bth.opcode) || !takes_receive(packet.bth.opcode)) return;
  FinishedMessage message;
  message.psn = packet.bth.psn;
  message.opcode = packet.bth.opcode;
  message.value = wire::has_immediate(packet.bth.opcode) ? packet.imm_dt.value : packet.ieth.rkey;
  message.length = packet.reth.dma_length;
  message.service_level = packet.path.priority;
  message.solicited = packet.bth.solicited;
  auto& finished = qp.selective->responder.finished;
  auto at = finished.end();
  while (at != finished.begin() && message.psn < std::prev(at)->psn) --at;
  finished.insert(at, message);
}

void complete(Qp& qp, TimePoint now, const FinishedMessage& message) {
  Received received;
  received.opcode = wire::is_write(message.opcode) ? WcOpcode::kRecvRdmaWithImm : WcOpcode::kRecv;
  received.byte_len = message.length;
  received.source_qpn = qp.attr.dest_qpn;
  received.service_level = message.service_level;
  received.solicited = message.solicited;
  received.immediate = message.value;
  received.flags = wire::has_immediate(message.opcode) ? wc_flag::kWithImm
                   : wire::has_ieth(message.opcode)    ? wc_flag::kWithInv
                                                       : 0;
  if (received.flags == 0) received.immediate = 0;
  complete_receive(qp, now, qp.responder.held.wr_id(), received);
  qp.responder.held.release();
}

/// The oldest message has come whole: its receive completes. False: not now, or never.
bool finish_message(Engine& engine, Qp& qp, TimePoint now) {
  SelectiveResponder& state = qp.selective->responder;
  const FinishedMessage message = state.finished.front();
  HeldReceive* held = receive_of(qp, state.message);
  if (held == nullptr) {  // a WRITE with immediate data that came early; now there is no receive for it
    state.finished.erase(state.finished.begin());
    state.arrived.reset(qp.responder.expected_psn.value());
    responder::refuse_for_now(engine, qp);
    return false;
  }
  std::swap(qp.responder.held, *held);
  state.held.pop();
  ++state.message;
  state.finished.erase(state.finished.begin());
  if (wire::has_ieth(message.opcode)) {
    if (engine.regions.may_invalidate_remote(message.value, qp.pd_number, qp.qpn) != mm::AccessFault::kNone) {
      responder::refuse(engine, qp, now, message.psn, Refusal::kAccess);
      return false;
    }
    engine.regions.invalidate_remote(message.value, qp.pd_number, qp.qpn);
  }
  complete(qp, now, message);
  ++engine.counters.rdma_recvs;
  qp.responder.msn = (qp.responder.msn + 1) & wire::Psn::kMask;
  return true;
}

/// What has come without a hole is executed.
void advance(Engine& engine, Qp& qp, TimePoint now) {
  SelectiveResponder& state = qp.selective->responder;
  wire::Psn& expected = qp.responder.expected_psn;
  while (state.arrived.test(expected.value())) {
    if (!state.finished.empty() && state.finished.front().psn == expected && !finish_message(engine, qp, now)) return;
    state.arrived.reset(expected.value());
    ++expected;
  }
}

void owe(Engine& engine, Qp& qp) {
  if (qp.responder.owed != OwedAck::kNak) owe_ack(engine, qp);
}

void handle_early(Engine& engine, Qp& qp, const wire::Packet& packet, std::uint32_t ahead) {
  SelectiveResponder& state = qp.selective->responder;
  ++engine.counters.out_of_seq_request;
  state.newest = packet.bth.psn;
  if (ahead < engine.options.unacked_psns_max && wire::has_payload(packet.bth.opcode) &&
      !state.arrived.test(packet.bth.psn.value())) {
    if (place(engine, qp, packet).outcome == Placed::kYes) {
      state.arrived.set(packet.bth.psn.value());
      note_finished(qp, packet);
    }
  }
  state.gap = true;
  owe(engine, qp);
}

void handle_expected(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  SelectiveResponder& state = qp.selective->responder;
  const wire::Psn psn = packet.bth.psn;
  // In order, a SEND is the oldest message that takes a receive.
  const bool other =
      wire::is_send(packet.bth.opcode) && static_cast<std::uint32_t>(packet.reth.virtual_address) != state.message;
  const Placement placement = other ? Placement{Placed::kMalformed, {}} : place(engine, qp, packet);
  if (placement.outcome == Placed::kNoReceive ||
      (placement.outcome == Placed::kYes && wire::ends_message(packet.bth.opcode) && takes_receive(packet.bth.opcode) &&
       receive_of(qp, state.message) == nullptr)) {
    return responder::refuse_for_now(engine, qp);
  }
  switch (placement.outcome) {
    case Placed::kTooLong:
    case Placed::kReceiveMemory:
      if (!state.held.empty()) {
        std::swap(qp.responder.held, state.held.front());
        state.held.pop();
      }
      return responder::refuse(
          engine, qp, now, psn,
          placement.outcome == Placed::kTooLong ? Refusal::kReceiveTooShort : Refusal::kReceiveMemory,
          placement.reason);
    case Placed::kAccess:
      return responder::refuse(engine, qp, now, psn, Refusal::kAccess);
    case Placed::kMalformed:
      return responder::refuse(engine, qp, now, psn, Refusal::kInvalidRequest);
    default:
      break;
  }
  const bool alone = state.arrived.count() == 0;
  state.arrived.set(psn.value());
  note_finished(qp, packet);
  advance(engine, qp, now);
  if (qp.state == QpState::kErr) return;
  if (!alone || wants_ack(packet.bth)) owe(engine, qp);
}

void handle_duplicate(Engine& engine, Qp& qp, const wire::Packet& packet) {
  ++engine.counters.duplicate_request;
  if (wire::operation_of(packet.bth.opcode) == Operation::kRdmaReadRequest) {
    responder::repeat_read(engine, qp, packet);
  } else if (wire::is_atomic(packet.bth.opcode)) {
    responder::repeat_recorded(engine, qp, packet, ResponderResource::Kind::kAtomic);
  } else {
    owe(engine, qp);
  }
}

}  // namespace

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  ResponderState& state = qp.responder;
  SelectiveResponder& selective = qp.selective->responder;
  selective.arrived.reserve(state.expected_psn.value(), engine.options.unacked_psns_max);
  const std::int32_t ahead = wire::distance(packet.bth.psn, state.expected_psn);
  if (ahead < 0) return handle_duplicate(engine, qp, packet);
  if (ahead > 0) return handle_early(engine, qp, packet, static_cast<std::uint32_t>(ahead));
  if (wire::has_payload(packet.bth.opcode)) return handle_expected(engine, qp, now, packet);
  if (wire::is_atomic(packet.bth.opcode)) {
    responder::handle_atomic(engine, qp, now, packet);
  } else {
    responder::handle_read(engine, qp, now, packet);
  }
  if (qp.state == QpState::kErr) return;
  advance(engine, qp, now);
  if (qp.state != QpState::kErr && selective.arrived.count() != 0) owe(engine, qp);
}

void repeat_read(Engine& engine, Qp& qp, const ResponderResource& resource, const wire::Packet& packet) {
  auto& repairs = qp.selective->responder.repairs;
  if (repairs.full()) return;  // it will be asked for again
  if (repairs.needs_storage()) repairs.grow();
  const wire::Reth& reth = packet.reth;
  repairs.push({packet.bth.psn, packets_of(reth.dma_length, qp.mtu), 0, resource.msn, reth.rkey, reth.dma_length,
                reth.virtual_address});
  engine.ready.add(qp);
}

Offer offer_repair(Engine& engine, Qp& qp, TxSink& sink) {
  auto& repairs = qp.selective->responder.repairs;
  ReadRepair& repair = repairs.front();
  const std::uint32_t offset = repair.sent * qp.mtu;
  const std::uint32_t length = std::min(repair.length - offset, qp.mtu);
  const mm::Translation found =
      engine.regions.check_remote(repair.rkey, qp.pd_number, qp.qpn, repair.addr + offset, length, access::kRemoteRead);
  if (!found.ok()) {  // the region has gone; the peer's own retries end it
    repairs.pop();
    return Offer::kNothing;
  }
  const bool first = repair.sent == 0, last = repair.sent + 1 == repair.packets;
  wire::Packet& packet = qp.packet;
  packet.bth.opcode = static_cast<wire::Opcode>(
      wire::opcode_value(wire::Transport::kSelective,
                         first ? (last ? Operation::kRdmaReadResponseOnly : Operation::kRdmaReadResponseFirst)
                               : (last ? Operation::kRdmaReadResponseLast : Operation::kRdmaReadResponseMiddle)));
  packet.bth.psn = repair.psn + repair.sent;
  packet.bth.solicited = packet.bth.ack_request = packet.bth.becn = false;
  packet.aeth = wire::Aeth::ack(repair.msn);
  packet.payload = {found.host, length, {}};
  if (!fetch(engine.bounce, packet.payload)) {
    repairs.pop();
    return Offer::kNothing;
  }
  if (!sink.transmit(packet)) return Offer::kRefused;
  count_sent(engine, packet);
  ++repair.sent;
  if (last) repairs.pop();
  return Offer::kTaken;
}

void add_bits(Qp& qp, wire::Packet& packet) {
  const SelectiveResponder& state = qp.selective->responder;
  const wire::Psn expected = qp.responder.expected_psn;
  packet.atomic_ack_eth.original = 0;
  packet.aeth.msn = expected.value();
  if (state.arrived.count() == 0) return;
  constexpr std::uint32_t kBits = 64;
  // The 64 PSNs that end with the newest.
  const std::int32_t ahead = wire::distance(state.newest, expected);
  const wire::Psn base = ahead < static_cast<std::int32_t>(kBits) ? expected : state.newest - (kBits - 1);
  packet.aeth.msn = base.value();
  for (std::uint32_t i = 0; i < kBits; ++i) {
    if (state.arrived.test((base + i).value())) packet.atomic_ack_eth.original |= 1ull << i;
  }
}

}  // namespace rocelab::rxe::selective
