// The printer: one line a packet, with everything that matters and nothing that does not.
#include <string>

#include "tests/support/catch.h"
#include "tests/support/random_packet.h"
#include "wire/packet.h"

namespace rocelab::wire {

namespace {

Packet packet(Opcode opcode) {
  Packet p;
  p.path.source_gid = Gid::from_ipv4(0x0a4d0001);
  p.path.destination_gid = Gid::from_ipv4(0x0a4d0002);
  p.bth.opcode = opcode;
  p.bth.destination_qpn = 0x12;
  p.bth.psn = Psn(123);
  return p;
}

}  // namespace

TEST_CASE("printer: a packet is one line, from the addresses to the payload's length", "[wire][print]") {
  Packet p = packet(Opcode::kRcSendOnly);
  p.bth.ack_request = true;
  p.payload.length = 64;
  CHECK(to_string(p) == "RoCEv2 10.77.0.1 > 10.77.0.2 RC_SEND_ONLY qp 0x12 psn 123 A len 64");
}

TEST_CASE("printer: what is unusual is said, what is usual is not", "[wire][print]") {
  Packet p = packet(Opcode::kCnp);
  p.path.has_vlan = true;
  p.path.vlan_id = 7;
  p.path.priority = 3;
  p.path.traffic_class = 0x6b;
  p.bth.solicited = p.bth.fecn = p.bth.becn = true;
  p.bth.pkey = 0x7fff;
  p.bth.version = 1;
  CHECK(to_string(p) ==
        "RoCEv2 10.77.0.1 > 10.77.0.2 vlan 7 pcp 3 tc 0x6b CNP qp 0x12 psn 123 SE FECN BECN pkey 0x7fff tver 1");
}

TEST_CASE("printer: every extension header shows its fields", "[wire][print]") {
  const std::string start = "RoCEv2 10.77.0.1 > 10.77.0.2 ";
  Packet p = packet(Opcode::kRcRdmaWriteOnlyWithImmediate);
  p.reth = {0x7f0000001000, 0x4711, 100};
  p.imm_dt.value = 0xcafe;
  p.payload.length = 100;
  CHECK(to_string(p) == start +
                            "RC_RDMA_WRITE_ONLY_WITH_IMMEDIATE qp 0x12 psn 123 va 0x7f0000001000 rkey 0x4711 "
                            "dma 100 imm 0xcafe len 100");
  p = packet(Opcode::kUdSendOnly);
  p.deth = {0x80010000, 1};
  CHECK(to_string(p) == start + "UD_SEND_ONLY qp 0x12 psn 123 src qp 0x1 qkey 0x80010000 len 0");
  p = packet(Opcode::kRcCompareSwap);
  p.atomic_eth = {0x1000, 5, 7, 8};
  CHECK(to_string(p) == start + "RC_COMPARE_SWAP qp 0x12 psn 123 va 0x1000 rkey 0x5 swap/add 0x7 compare 0x8");
  p = packet(Opcode::kRcAtomicAcknowledge);
  p.aeth = Aeth::ack(3);
  p.atomic_ack_eth.original = 0x99;
  CHECK(to_string(p) == start + "RC_ATOMIC_ACKNOWLEDGE qp 0x12 psn 123 ACK msn 3 original 0x99");
  p = packet(Opcode::kRcSendOnlyWithInvalidate);
  p.ieth.rkey = 0x42;
  CHECK(to_string(p) == start + "RC_SEND_ONLY_WITH_INVALIDATE qp 0x12 psn 123 inv rkey 0x42 len 0");
  p = packet(Opcode::kRcFlush);
  p.feth = {Feth::kGlobal | Feth::kPersistent, Feth::kRegion};
  p.reth = {0x1000, 5, 64};
  CHECK(to_string(p) == start + "RC_FLUSH qp 0x12 psn 123 flush global persistent region va 0x1000 rkey 0x5 dma 64");
  p = packet(Opcode::kRcAtomicWrite);
  p.reth = {0x1000, 5, 8};
  p.payload.length = 8;
  CHECK(to_string(p) == start + "RC_ATOMIC_WRITE qp 0x12 psn 123 va 0x1000 rkey 0x5 dma 8 len 8");
  p = packet(Opcode::kXrcSendOnly);
  p.xrc_eth.srq_number = 9;
  CHECK(to_string(p) == start + "XRC_SEND_ONLY qp 0x12 psn 123 xrc srq 0x9 len 0");
}

TEST_CASE("printer: acknowledgements say what they mean", "[wire][print]") {
  CHECK(to_string(Aeth::ack(7)) == "ACK msn 7");
  CHECK(to_string(Aeth::rnr_nak(12, 7)) == "RNR NAK timer 12 msn 7");
  CHECK(to_string(Aeth::nak(NakCode::kPsnSequenceError, 7)) == "NAK PSN sequence error msn 7");
  CHECK(to_string(Aeth::nak(NakCode::kRemoteAccessError, 7)) == "NAK remote access error msn 7");
  CHECK(to_string(Aeth{0x7f, 7}) == "NAK reserved code msn 7");
  CHECK(to_string(Aeth{0x40, 7}) == "reserved syndrome 0x40 msn 7");
}

TEST_CASE("printer: RoCE v1 and IPv6 addresses print as such", "[wire][print]") {
  Packet p = packet(Opcode::kRcSendOnly);
  p.path.encapsulation = Encapsulation::kRoceV1;
  p.path.source_gid = *parse_gid("fe80::1");
  p.path.destination_gid = *parse_gid("fd77::2");
  CHECK(to_string(p).substr(0, 25) == "RoCEv1 fe80::1 > fd77::2 ");
}

TEST_CASE("printer: any packet prints as one line", "[wire][print]") {
  base::Rng rng(1, "wire.print");
  for (unsigned i = 0; i < 2000; ++i) {
    const auto owned = test::random_packet(rng);
    const std::string line = to_string(owned.packet);
    REQUIRE(line.find('\n') == std::string::npos);
    REQUIRE(line.find(std::string(name(owned.packet.bth.opcode))) != std::string::npos);
  }
}

}  // namespace rocelab::wire
