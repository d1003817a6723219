// See stage.h.
#include "tests/rxe/replay/stage.h"

#include <cstdio>

#include "wire/gid.h"

namespace rocelab::test::replay {

namespace {

rxe::GidEntry gid_entry(const wire::Gid& gid) {
  rxe::GidEntry entry;
  entry.gid = gid;
  entry.type = rxe::GidType::kRoceV2;
  entry.valid = true;
  return entry;
}

}  // namespace

Stage::Stage(const Recording& recording, bool as_a, QpOptions options, std::uint32_t expected_psn)
    : recording_(recording), self_(as_a ? recording.a : recording.b), peer_(as_a ? recording.b : recording.a) {
  options.type = recording.type;
  options.mtu = recording.mtu;
  options.psn = self_.start_psn;
  options.sgid_index = 0;
  if (recording.type == rxe::QpType::kUd) options.qkey = recording.qkey;
  rxe::Device& device = solo.side.device;
  ready = device.set_gid(0, gid_entry(self_.gid)).has_value();
  qp = std::make_unique<Endpoint>(solo.side, options);
  // Keys of ours must not happen to be the recorded ones, which partly are meant to be wrong.
  buffer = std::make_unique<Region>(device, solo.side.pd, kBufferBytes, kAllAccess, self_.buffer);
  for (std::size_t i = 0; i < kBufferBytes; ++i) {
    buffer->data()[i] = static_cast<std::byte>((7 * i + (as_a ? 0 : 0x80)) & 0xff);
  }
  ready = ready && qp->valid() && buffer->registered() && qp->to_init().has_value();
  rxe::QpAttr attr = qp->rtr_attr(2, peer_.qpn, expected_psn);
  attr.av.dgid = peer_.gid;
  ready = ready && qp->modify(attr, qp->rtr_mask()).has_value() && qp->to_rts().has_value();
}

wire::Packet Stage::for_engine(const OwnedPacket& recorded) const {
  wire::Packet packet = recorded.view();
  if (packet.bth.destination_qpn == self_.qpn) packet.bth.destination_qpn = qp->qpn;
  for (std::uint32_t* key : {&packet.reth.rkey, &packet.atomic_eth.rkey, &packet.ieth.rkey}) {
    if (*key == self_.rkey) {
      *key = buffer->mr().rkey;
    } else if (recording_.window_rkey != 0 && *key == recording_.window_rkey) {
      *key = window_rkey;
    } else {
      *key = buffer->mr().rkey ^ 0x55;  // recorded as wrong: the right index, another variant
    }
  }
  return packet;
}

OwnedPacket Stage::as_recorded(const OwnedPacket& sent) const {
  OwnedPacket packet = sent;
  if (packet.header().deth.source_qpn == qp->qpn) packet.header().deth.source_qpn = self_.qpn;
  return packet;
}

std::string comparable(const wire::Packet& packet) {
  const wire::Opcode op = packet.bth.opcode;
  std::string line = wire::to_string(packet.path.source_gid) + " > " + wire::to_string(packet.path.destination_gid) +
                     " tc " + std::to_string(packet.path.traffic_class) + " qp " +
                     std::to_string(packet.bth.destination_qpn) + " pkey " + std::to_string(packet.bth.pkey) + ' ' +
                     to_line(packet);
  if (packet.bth.migrated) line += " M";
  if (wire::has_reth(op)) {
    line += " va " + std::to_string(packet.reth.virtual_address) + " rkey " + std::to_string(packet.reth.rkey);
  }
  if (wire::has_atomic_eth(op)) {
    line += " va " + std::to_string(packet.atomic_eth.virtual_address) + " rkey " +
            std::to_string(packet.atomic_eth.rkey) + " swap/add " + std::to_string(packet.atomic_eth.swap_or_add);
    // A fetch-and-add's compare field means nothing (IBTA vol 1, 9.3.3.2).
    if (op == wire::Opcode::kRcCompareSwap) line += " compare " + std::to_string(packet.atomic_eth.compare);
  }
  if (wire::has_atomic_ack_eth(op)) line += " original " + std::to_string(packet.atomic_ack_eth.original);
  if (wire::has_ieth(op)) line += " inv " + std::to_string(packet.ieth.rkey);
  if (wire::has_deth(op)) {
    line += " src " + std::to_string(packet.deth.source_qpn) + " qkey " + std::to_string(packet.deth.qkey);
  }
  if (packet.payload.length != 0 && packet.payload.data != nullptr) {
    std::uint32_t sum = 1;
    for (std::uint32_t i = 0; i < packet.payload.length; ++i) {
      sum = sum * 31 + static_cast<std::uint32_t>(packet.payload.data[i]);
    }
    line += " bytes " + std::to_string(sum);
  }
  return line;
}

}  // namespace rocelab::test::replay
