// See datagram.h.
#include "rxe/datagram.h"

#include <array>

#include "rxe/completer.h"
#include "rxe/completions.h"
#include "rxe/grh_area.h"
#include "rxe/local_memory.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/raw_packet.h"
#include "rxe/request_packet.h"
#include "rxe/requester.h"
#include "rxe/responder_message.h"
#include "wire/udp.h"

namespace rocelab::rxe::datagram {

namespace {

bool fail(SendWqe& wqe, WcStatus status, VendorError reason) {
  wqe.fail(status, reason);
  return false;
}

/// Fills the QP's template for this request; on failure the request has failed.
bool build(Engine& engine, Qp& qp, SendWqe& wqe) {
  const AddressHandle* handle = engine.find_ah(wqe.datagram.ah);
  if (handle == nullptr) return fail(wqe, WcStatus::kLocQpOpErr, VendorError::kBadAddressHandle);
  if (handle->pd != qp.pd) return fail(wqe, WcStatus::kLocQpOpErr, VendorError::kAddressWrongPd);
  if (wqe.length > mtu_bytes(engine.options.port_mtu)) {
    return fail(wqe, WcStatus::kLocLenErr, VendorError::kDatagramBeyondMtu);
  }
  wire::Packet& packet = qp.packet;
  packet.path = handle->path;
  packet.path.udp_source_port = wire::udp_source_port(qp.qpn, wqe.datagram.qpn);
  packet.bth.opcode =
      wqe.opcode == SendOpcode::kSendWithImm ? wire::Opcode::kUdSendOnlyWithImmediate : wire::Opcode::kUdSendOnly;
  packet.bth.destination_qpn = wqe.datagram.qpn;
  packet.bth.psn = wire::Psn(static_cast<std::uint32_t>(qp.requester.next_psn));
  packet.bth.solicited = wqe.solicited;
  const std::uint32_t own_qkey = qp.type == QpType::kGsi ? kGsiQkey : qp.attr.qkey;
  const bool controlled = qp.type == QpType::kGsi || (wqe.datagram.qkey & kQkeyControlled) != 0;
  packet.deth = {controlled ? own_qkey : wqe.datagram.qkey, qp.qpn};
  packet.imm_dt.value = wqe.immediate;
  if (set_payload(engine, qp, qp.requester.send_position, wqe, 0, wqe.length, qp.requester.next_psn)) return true;
  return fail(wqe, WcStatus::kLocProtErr, VendorError::kLocalNotMapped);
}

void deliver(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  HeldReceive& held = qp.responder.held;
  const std::uint64_t needed = kGrhBytes + std::uint64_t{packet.payload.length};
  if (!held.held() && !take_receive(qp)) {
    ++engine.counters.drop_no_receive;
    return;
  }
  if (needed > held.length()) {  // the receive stays held for the next datagram
    ++engine.counters.drop_too_long;
    return;
  }
  const Places places = find_places(engine.regions, qp.receive_pd, held.sges(), {}, static_cast<std::uint32_t>(needed),
                                    engine.places.data());
  if (places.fault != mm::AccessFault::kNone) {
    complete_receive_error(qp, now, held.wr_id(), WcStatus::kLocProtErr, local_error(places.fault));
    held.release();
    return enter_error(engine, qp, now, VendorError::kFlushedByError);
  }
  const std::array<std::byte, kGrhBytes> grh = grh_area(packet);
  const std::array<wire::Segment, 2> sources = {
      {{grh.data(), kGrhBytes}, {packet.payload.data, packet.payload.length}}};
  fill(std::span(engine.places.data(), places.count), sources);
  Received received;
  received.byte_len = static_cast<std::uint32_t>(needed);
  received.source_qpn = packet.deth.source_qpn;
  received.service_level = grh_area_kind(packet.path);
  received.solicited = packet.bth.solicited;
  received.flags = wc_flag::kGrh;
  if (wire::has_immediate(packet.bth.opcode)) {
    received.flags |= wc_flag::kWithImm;
    received.immediate = packet.imm_dt.value;
  }
  const std::uint64_t wr_id = held.wr_id();
  held.release();
  complete_receive(qp, now, wr_id, received);
  ++engine.counters.rdma_recvs;
}

/// A copy for every QP of the group but `except`.
void deliver_to_group(Engine& engine, TimePoint now, const wire::Packet& packet, Qpn except) {
  const auto members = engine.multicast.members(packet.path.destination_gid);
  if (members.empty() && except == 0) ++engine.counters.drop_not_attached;
  for (const MulticastTable::Member& member : members) {
    Qp* qp = engine.find_qp(member.qpn);
    if (member.qpn == except || qp == nullptr) continue;
    if (!processes_requests(qp->state)) continue;
    if (packet.deth.qkey != qp->attr.qkey) {
      ++engine.counters.drop_bad_qkey;
      continue;
    }
    deliver(engine, *qp, now, packet);
    settle(engine, *qp, now);
  }
}

/// What a port does not echo: listeners of this device hear its own datagrams, the sender does not (IBTA vol
/// 1, 10.5.2).
void loop_back(Engine& engine, Qp& qp, TimePoint now) {
  if (engine.multicast.members(qp.packet.path.destination_gid).empty()) return;
  wire::Packet packet = qp.packet;
  if (!packet.payload.pieces.empty()) {
    std::uint32_t used = 0;
    engine.bounce.resize(mtu_bytes(engine.options.port_mtu));
    for (const wire::Segment& piece : packet.payload.pieces) {
      if (piece.data != nullptr) copy_bytes(engine.bounce.data() + used, piece.data, piece.length);
      used += piece.length;
    }
    packet.payload.data = engine.bounce.data();
    packet.payload.pieces = {};
  }
  deliver_to_group(engine, now, packet, qp.qpn);
}

}  // namespace

Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  if (qp.is_raw()) return raw_packet::poll(engine, qp, now, sink);
  RequesterState& requester = qp.requester;
  if (requester.send_position == qp.send_queue.tail() || !processes_responses(qp.state)) return Offer::kNothing;
  if (requester::held(engine, qp, now)) [[unlikely]]
    return Offer::kNothing;
  SendWqe* wqe = requester::current(engine, qp, now);
  if (wqe == nullptr) return Offer::kNothing;
  if (!build(engine, qp, *wqe)) {
    completer::retire(engine, qp, now);
    return Offer::kNothing;
  }
  if (!sink.transmit(qp.packet)) return Offer::kRefused;
  count_sent(engine, qp.packet);
  if (qp.packet.path.destination_gid.is_multicast()) loop_back(engine, qp, now);
  ++requester.next_psn;
  requester.unacked_psn = requester.high_psn = requester.next_psn;
  ++requester.send_position;
  completer::retire(engine, qp, now);
  return Offer::kTaken;
}

void handle_datagram(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  if (packet.deth.qkey != (qp.type == QpType::kGsi ? kGsiQkey : qp.attr.qkey)) {
    ++engine.counters.drop_bad_qkey;
    return;
  }
  if (!engine.gids.contains(packet.path.destination_gid)) {
    ++engine.counters.drop_wrong_peer;
    return;
  }
  deliver(engine, qp, now, packet);
}

void handle_multicast(Engine& engine, TimePoint now, const wire::Packet& packet) {
  if (!wire::has_deth(packet.bth.opcode)) {
    ++engine.counters.drop_wrong_transport;
    return;
  }
  // The port echoed what a QP of this device has sent, and loop_back has delivered it.
  const bool own = engine.gids.contains(packet.path.source_gid) &&
                   packet.deth.source_qpn - engine.options.qpn_first < engine.options.qpn_count;
  if (own) return;
  deliver_to_group(engine, now, packet, 0);
}

}  // namespace rocelab::rxe::datagram
