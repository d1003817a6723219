// See random_packet.h.
#include "tests/support/random_packet.h"

#include <algorithm>
#include <cstring>

#include "net/frame_codec.h"

namespace rocelab::test {

using wire::Encapsulation;
using wire::Opcode;
using wire::Packet;

namespace {

template <class T>
T bits(base::Rng& rng, unsigned width) {
  return static_cast<T>(rng.next() >> (64 - width));
}

wire::Gid random_gid(base::Rng& rng, Encapsulation encapsulation) {
  if (encapsulation == Encapsulation::kRoceV2Ipv4) return wire::Gid::from_ipv4(bits<std::uint32_t>(rng, 32));
  wire::Gid gid;
  for (std::uint8_t& byte : gid.bytes) byte = bits<std::uint8_t>(rng, 8);
  return gid;
}

wire::Path random_path(base::Rng& rng, Encapsulation encapsulation, bool vlan) {
  wire::Path path;
  path.encapsulation = encapsulation;
  for (std::uint8_t& byte : path.source_mac) byte = bits<std::uint8_t>(rng, 8);
  for (std::uint8_t& byte : path.destination_mac) byte = bits<std::uint8_t>(rng, 8);
  path.has_vlan = vlan;
  if (vlan) {
    path.vlan_id = bits<std::uint16_t>(rng, 12);
    path.priority = bits<std::uint8_t>(rng, 3);
  }
  path.source_gid = random_gid(rng, encapsulation);
  path.destination_gid = random_gid(rng, encapsulation);
  path.traffic_class = bits<std::uint8_t>(rng, 8);
  path.hop_limit = bits<std::uint8_t>(rng, 8);
  if (encapsulation == Encapsulation::kRoceV2Ipv4) {
    path.ipv4_identification = bits<std::uint16_t>(rng, 16);
  } else {
    path.flow_label = bits<std::uint32_t>(rng, 20);
  }
  if (encapsulation != Encapsulation::kRoceV1) path.udp_source_port = bits<std::uint16_t>(rng, 16);
  return path;
}

bool same_payload(const wire::Payload& a, const wire::Payload& b) {
  if (a.length != b.length || !a.pieces.empty() || !b.pieces.empty()) return false;
  return a.length == 0 || std::memcmp(a.data, b.data, a.length) == 0;
}

bool same_bth(wire::Bth a, wire::Bth b) {
  a.pad_count = b.pad_count = 0;  // computed by the encoder
  return a == b;
}

}  // namespace

std::vector<Opcode> all_opcodes() {
  std::vector<Opcode> opcodes;
  for (unsigned value = 0; value < 256; ++value) {
    if (is_valid(static_cast<Opcode>(value))) opcodes.push_back(static_cast<Opcode>(value));
  }
  return opcodes;
}

OwnedPacket random_packet(base::Rng& rng, Encapsulation encapsulation, bool vlan, Opcode opcode,
                          std::size_t payload_bytes) {
  OwnedPacket owned;
  Packet& packet = owned.packet;
  packet.path = random_path(rng, encapsulation, vlan);
  packet.bth.opcode = opcode;
  packet.bth.solicited = rng.chance(1, 2);
  packet.bth.migrated = rng.chance(1, 2);
  packet.bth.pkey = bits<std::uint16_t>(rng, 16);
  packet.bth.fecn = rng.chance(1, 2);
  packet.bth.becn = rng.chance(1, 2);
  packet.bth.destination_qpn = bits<std::uint32_t>(rng, 24);
  packet.bth.ack_request = rng.chance(1, 2);
  packet.bth.psn = wire::Psn(bits<std::uint32_t>(rng, 24));
  if (has_xrceth(opcode)) packet.xrc_eth.srq_number = bits<std::uint32_t>(rng, 24);
  if (has_deth(opcode)) packet.deth = {bits<std::uint32_t>(rng, 32), bits<std::uint32_t>(rng, 24)};
  if (has_reth(opcode)) packet.reth = {rng.next(), bits<std::uint32_t>(rng, 32), bits<std::uint32_t>(rng, 32)};
  if (has_atomic_eth(opcode)) packet.atomic_eth = {rng.next(), bits<std::uint32_t>(rng, 32), rng.next(), rng.next()};
  if (has_aeth(opcode)) packet.aeth = {bits<std::uint8_t>(rng, 8), bits<std::uint32_t>(rng, 24)};
  if (has_atomic_ack_eth(opcode)) packet.atomic_ack_eth.original = rng.next();
  if (has_immediate(opcode)) packet.imm_dt.value = bits<std::uint32_t>(rng, 32);
  if (has_ieth(opcode)) packet.ieth.rkey = bits<std::uint32_t>(rng, 32);
  if (has_payload(opcode)) {
    owned.payload.resize(payload_bytes);
    for (std::byte& byte : owned.payload) byte = static_cast<std::byte>(rng.next() >> 56);
    packet.payload = {owned.payload.data(), static_cast<std::uint32_t>(payload_bytes), {}};
  }
  return owned;
}

OwnedPacket random_packet(base::Rng& rng) {
  static const std::vector<Opcode> opcodes = all_opcodes();
  const Encapsulation encapsulation = kEncapsulations[rng.below(std::size(kEncapsulations))];
  const bool vlan = rng.chance(1, 2);
  const Opcode opcode = opcodes[rng.below(opcodes.size())];
  const std::size_t longest = rng.chance(1, 8) ? 4096 : 128;
  return random_packet(rng, encapsulation, vlan, opcode, rng.below(longest + 1));
}

std::vector<std::byte> encoded(const Packet& packet) {
  std::vector<std::byte> frame(net::encoded_size(packet));
  frame.resize(net::encode_frame(packet, frame));
  return frame;
}

const char* difference(const Packet& a, const Packet& b) {
  const Opcode op = a.bth.opcode;
  if (a.path != b.path) return "path";
  if (!same_bth(a.bth, b.bth)) return "BTH";
  if (has_xrceth(op) && a.xrc_eth != b.xrc_eth) return "XRCETH";
  if (has_deth(op) && a.deth != b.deth) return "DETH";
  if (has_reth(op) && a.reth != b.reth) return "RETH";
  if (has_atomic_eth(op) && a.atomic_eth != b.atomic_eth) return "AtomicETH";
  if (has_aeth(op) && a.aeth != b.aeth) return "AETH";
  if (has_atomic_ack_eth(op) && a.atomic_ack_eth != b.atomic_ack_eth) return "AtomicAckETH";
  if (has_immediate(op) && a.imm_dt != b.imm_dt) return "ImmDt";
  if (has_ieth(op) && a.ieth != b.ieth) return "IETH";
  if (!same_payload(a.payload, b.payload)) return "payload";
  return "";
}

}  // namespace rocelab::test
