// Each header: what emit writes for known values, that it writes every byte, and that parse is its inverse. Buffers
// start as 0xa5, so a byte that emit leaves out shows.
#include <array>
#include <cstdint>
#include <string>

#include "base/rng.h"
#include "tests/support/catch.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet.h"
#include "wire/udp.h"

namespace rocelab::wire {

namespace {

/// emit's bytes in hexadecimal, from a buffer of 0xa5 that is two bytes longer: nothing may be written behind.
template <class Header>
std::string emitted(const Header& header) {
  std::array<std::byte, Header::kSize + 2> bytes;
  bytes.fill(std::byte{0xa5});
  header.emit(bytes);
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  CHECK(text.substr(2 * Header::kSize) == "a5a5");
  return text.substr(0, 2 * Header::kSize);
}

template <class Header>
Header reparsed(const Header& header) {
  std::array<std::byte, Header::kSize> bytes;
  bytes.fill(std::byte{0xa5});
  header.emit(bytes);
  return Header::parse(bytes);
}

/// Parses random bytes, emits, and parses again: the same value, for any bytes.
template <class Header>
void check_inverse(std::string_view component) {
  base::Rng rng(1, component);
  for (unsigned i = 0; i < 2000; ++i) {
    std::array<std::byte, Header::kSize> bytes;
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.next() >> 56);
    const Header value = Header::parse(bytes);
    REQUIRE(reparsed(value) == value);
  }
}

}  // namespace

TEST_CASE("headers: emit and parse are each other's inverse, for any bytes", "[wire][headers]") {
  check_inverse<EthernetHeader>("ethernet");
  check_inverse<VlanTag>("vlan");
  check_inverse<Ipv4Header>("ipv4");
  check_inverse<Ipv6Header>("ipv6");
  check_inverse<UdpHeader>("udp");
  check_inverse<Bth>("bth");
  check_inverse<Deth>("deth");
  check_inverse<Reth>("reth");
  check_inverse<Aeth>("aeth");
  check_inverse<AtomicEth>("atomic");
  check_inverse<AtomicAckEth>("atomic_ack");
  check_inverse<ImmDt>("imm");
  check_inverse<Ieth>("ieth");
  check_inverse<XrcEth>("xrc");
  check_inverse<Feth>("feth");
}

TEST_CASE("Ethernet: destination, source, type; the tag has priority, DEI and VLAN", "[wire][ethernet]") {
  const EthernetHeader ethernet{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}, ethertype::kRoceV1};
  CHECK(emitted(ethernet) == "0102030405060708090a0b0c8915");
  CHECK(emitted(VlanTag{5, false, 0x123, ethertype::kIpv4}) == "a1230800");
  CHECK(emitted(VlanTag{7, true, 0xfff, ethertype::kIpv6}) == "ffff86dd");
  CHECK(emitted(VlanTag{0, false, 0, ethertype::kRoceV1}) == "00008915");
}

TEST_CASE("IPv4: twenty bytes with the checksum of RFC 1071", "[wire][ipv4]") {
  Ipv4Header ip;
  ip.traffic_class = 0x6a;
  ip.total_length = 0x0073;
  ip.identification = 0x1234;
  ip.source = 0xc0a80001;
  ip.destination = 0xc0a800c7;
  CHECK(emitted(ip) ==
        "456a007312344000"
        "4011a5c3"
        "c0a80001c0a800c7");
  std::array<std::byte, Ipv4Header::kSize> bytes{};
  ip.emit(bytes);
  CHECK(Ipv4Header::valid(bytes));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto flipped = bytes;
      flipped[at] ^= std::byte{1} << bit;
      REQUIRE_FALSE(Ipv4Header::valid(flipped));
    }
  }
}

TEST_CASE("IPv6 and GRH: version 6, traffic class, flow label, lengths, addresses", "[wire][ipv6]") {
  Ipv6Header ip;
  ip.traffic_class = 0xab;
  ip.flow_label = 0xcdef1;
  ip.payload_length = 0x0102;
  ip.next_header = Ipv6Header::kNextTransport;
  ip.hop_limit = 3;
  for (std::uint8_t i = 0; i < 16; ++i) {
    ip.source.bytes[i] = i;
    ip.destination.bytes[i] = static_cast<std::uint8_t>(0xf0 | i);
  }
  CHECK(emitted(ip) ==
        "6abcdef101021b03"
        "000102030405060708090a0b0c0d0e0f"
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  std::array<std::byte, Ipv6Header::kSize> bytes{};
  ip.emit(bytes);
  CHECK(Ipv6Header::valid(bytes));
  bytes[0] = std::byte{0x45};
  CHECK_FALSE(Ipv6Header::valid(bytes));
}

TEST_CASE("UDP: ports, length, checksum", "[wire][udp]") {
  CHECK(emitted(UdpHeader{0xc123, kRoceV2Port, 0x0201, 0}) == "c12312b702010000");
}

TEST_CASE("UDP: the source port is in 0xc000..0xffff, fixed for a QP pair, and spreads", "[wire][udp]") {
  std::array<unsigned, 4> quarter{};
  for (std::uint32_t source = 0; source < 64; ++source) {
    for (std::uint32_t destination = 0; destination < 64; ++destination) {
      const std::uint16_t port = udp_source_port(source, destination);
      REQUIRE(port >= 0xc000);
      REQUIRE(port == udp_source_port(source, destination));
      ++quarter[(port - 0xc000) / 0x1000];
    }
  }
  for (const unsigned count : quarter) CHECK(count > 64 * 64 / 8);
}

TEST_CASE("BTH: twelve bytes, reserved bits zero", "[wire][bth]") {
  Bth bth;
  bth.opcode = Opcode::kRcRdmaWriteOnly;
  bth.pkey = 0x8001;
  bth.destination_qpn = 0x123456;
  bth.psn = Psn(0xabcdef);
  CHECK(emitted(bth) ==
        "0a00800100123456"
        "00abcdef");
  bth.solicited = bth.migrated = bth.fecn = bth.becn = bth.ack_request = true;
  bth.pad_count = 3;
  bth.version = 0xf;
  CHECK(emitted(bth) ==
        "0aff8001c0123456"
        "80abcdef");
  const auto each = [](auto change) {
    Bth one;
    one.pkey = 0;
    change(one);
    return emitted(one);
  };
  CHECK(each([](Bth& b) { b.solicited = true; }) ==
        "0080000000000000"
        "00000000");
  CHECK(each([](Bth& b) { b.migrated = true; }) ==
        "0040000000000000"
        "00000000");
  CHECK(each([](Bth& b) { b.pad_count = 2; }) ==
        "0020000000000000"
        "00000000");
  CHECK(each([](Bth& b) { b.fecn = true; }) ==
        "0000000080000000"
        "00000000");
  CHECK(each([](Bth& b) { b.becn = true; }) ==
        "0000000040000000"
        "00000000");
  CHECK(each([](Bth& b) { b.ack_request = true; }) ==
        "0000000000000000"
        "80000000");
}

TEST_CASE("BTH: reserved bits are ignored when read", "[wire][bth]") {
  std::array<std::byte, Bth::kSize> bytes{};
  Bth{}.emit(bytes);
  bytes[4] = std::byte{0x3f};
  bytes[8] = std::byte{0x7f};
  CHECK(Bth::parse(bytes) == Bth{});
}

TEST_CASE("extension headers: every field at its offset, reserved bytes zero", "[wire][headers]") {
  CHECK(emitted(Deth{0x80010000, 0x123456}) == "8001000000123456");
  CHECK(emitted(Reth{0x0102030405060708, 0x11223344, 0x55667788}) == "01020304050607081122334455667788");
  CHECK(emitted(AtomicEth{0x0102030405060708, 0x11223344, 0x2122232425262728, 0x3132333435363738}) ==
        "010203040506070811223344"
        "2122232425262728"
        "3132333435363738");
  CHECK(emitted(AtomicAckEth{0x0102030405060708}) == "0102030405060708");
  CHECK(emitted(Aeth{0x1f, 0xabcdef}) == "1fabcdef");
  CHECK(emitted(ImmDt{0x01020304}) == "01020304");
  CHECK(emitted(Ieth{0x01020304}) == "01020304");
  CHECK(emitted(XrcEth{0x123456}) == "00123456");
  CHECK(emitted(Feth{Feth::kGlobal, Feth::kRange}) == "00000001");
  CHECK(emitted(Feth{Feth::kGlobal | Feth::kPersistent, Feth::kRegion}) == "00000013");
}

TEST_CASE("AETH: syndromes of ACK, RNR NAK and NAK", "[wire][aeth]") {
  CHECK(Aeth::ack(5) == Aeth{0x1f, 5});
  CHECK(Aeth::ack(5).kind() == AethKind::kAck);
  CHECK(Aeth::rnr_nak(14, 5) == Aeth{0x2e, 5});
  CHECK(Aeth::rnr_nak(14, 5).kind() == AethKind::kRnrNak);
  CHECK(Aeth::rnr_nak(14, 5).code() == 14);
  CHECK(Aeth::nak(NakCode::kRemoteAccessError, 5) == Aeth{0x62, 5});
  CHECK(Aeth::nak(NakCode::kRemoteAccessError, 5).kind() == AethKind::kNak);
  CHECK(Aeth{0x40, 0}.kind() == AethKind::kReserved);
  CHECK(Aeth{0xff, 0}.kind() == AethKind::kNak);  // the reserved bit says nothing
}

TEST_CASE("AETH: the RNR timer codes mean what the specification's table says", "[wire][aeth]") {
  // In hundredths of a millisecond, codes 0 to 31: 655.36 ms first, then 0.01, 0.02, ... up to 491.52 ms.
  constexpr std::int64_t kTable[32] = {65536, 1,    2,    3,    4,    6,     8,     12,    16,    24,   32,
                                       48,    64,   96,   128,  192,  256,   384,   512,   768,   1024, 1536,
                                       2048,  3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152};
  for (std::uint8_t code = 0; code < 32; ++code) {
    INFO("code " << unsigned{code});
    CHECK(rnr_timer(code).count_ps() == kTable[code] * 10'000'000);
  }
}

}  // namespace rocelab::wire
