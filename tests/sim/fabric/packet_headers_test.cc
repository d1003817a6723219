// What of a packet's headers reaches the other host: all that its opcode has.
#include "sim/fabric/packet_headers.h"

#include "tests/support/catch.h"
#include "wire/opcode.h"

using namespace rocelab;

namespace {

/// Every header with a value of its own.
wire::Packet full_packet(wire::Opcode opcode) {
  wire::Packet packet;
  packet.path.udp_source_port = 0xc123;
  packet.path.traffic_class = 0x6a;
  packet.path.flow_label = 0xabcde;
  packet.path.source_gid = wire::Gid::from_ipv4(0x0a000001);
  packet.path.destination_gid = wire::Gid::from_ipv4(0x0a000002);
  packet.bth.opcode = opcode;
  packet.bth.ack_request = true;
  packet.bth.destination_qpn = 0x123456;
  packet.bth.psn = wire::Psn(0xfedcba);
  packet.deth.qkey = 0x11111111;
  packet.deth.source_qpn = 0x222222;
  packet.reth = {0x3333333333333333, 0x44444444, 0x55555555};
  packet.aeth.syndrome = 0x66;
  packet.aeth.msn = 0x777777;
  packet.atomic_ack_eth.original = 0x8888888888888888;
  packet.imm_dt.value = 0x99999999;
  packet.ieth.rkey = 0xaaaaaaaa;
  packet.xrc_eth.srq_number = 0xbbbbbb;
  packet.feth.placement = 3;
  packet.feth.selectivity = 1;
  return packet;
}

}  // namespace

TEST_CASE("packet headers: each opcode's headers come out as they went in", "[sim][fabric]") {
  unsigned opcodes = 0;
  for (unsigned value = 0; value < 256; ++value) {
    const auto opcode = static_cast<wire::Opcode>(value);
    if (!wire::is_valid(opcode)) continue;
    ++opcodes;
    INFO("opcode " << value);
    const wire::Packet sent = full_packet(opcode);
    sim::PacketHeaders headers;
    headers.pack(sent);
    wire::Packet received;
    headers.unpack(received);
    CHECK((received.path == sent.path));
    CHECK((received.bth == sent.bth));
    if (wire::has_deth(opcode)) CHECK((received.deth == sent.deth));
    if (wire::has_reth(opcode)) CHECK((received.reth == sent.reth));
    if (wire::has_aeth(opcode)) CHECK((received.aeth == sent.aeth));
    if (wire::has_atomic_ack_eth(opcode)) CHECK((received.atomic_ack_eth == sent.atomic_ack_eth));
    if (wire::has_immediate(opcode)) CHECK((received.imm_dt == sent.imm_dt));
    if (wire::has_ieth(opcode)) CHECK((received.ieth == sent.ieth));
    if (wire::has_xrceth(opcode)) CHECK((received.xrc_eth == sent.xrc_eth));
    if (wire::has_feth(opcode)) CHECK((received.feth == sent.feth));
  }
  CHECK(opcodes > 60);
}
