// Frames and datagrams (net/udp/datagram.h), and the arithmetic of the ICRC under them, against a naive ICRC.
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "net/frame_codec.h"
#include "net/udp/datagram.h"
#include "roce_v2/icrc_change.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/naive_icrc.h"
#include "tests/support/random_packet.h"
#include "wire/bytes.h"
#include "wire/udp.h"

namespace rocelab::net::udp {

namespace {

using Bytes = std::vector<std::byte>;
constexpr std::size_t kEthernet = 14, kIpv4Transport = kEthernet + 28, kIpv6Transport = kEthernet + 48;

/// A v2 packet without a tag: what a socket can carry.
test::OwnedPacket random_v2(base::Rng& rng, bool ipv4) {
  const auto opcodes = test::all_opcodes();
  auto owned = test::random_packet(rng, ipv4 ? wire::Encapsulation::kRoceV2Ipv4 : wire::Encapsulation::kRoceV2Ipv6,
                                   false, opcodes[rng.next() % opcodes.size()], rng.next() % 1000);
  owned.packet.payload.data = owned.payload.data();
  return owned;
}

std::uint32_t icrc_of(const Bytes& frame) {
  const auto icrc = test::naive_icrc(frame);
  std::uint32_t value = 0;
  std::memcpy(&value, icrc.data(), 4);
  return value;
}

/// The frame as the kernel would put it on the wire.
Bytes sent(const Departure& packet, bool ipv4) {
  Bytes frame(static_cast<std::size_t>(ipv4 ? kIpv4Transport : kIpv6Transport) + packet.bytes);
  wire::Path path;
  path.encapsulation = ipv4 ? wire::Encapsulation::kRoceV2Ipv4 : wire::Encapsulation::kRoceV2Ipv6;
  Arrival arrival{packet.source, packet.destination, wire::kRoceV2Port, packet.traffic_class, packet.hop_limit};
  Bytes room(kHeadroomBytes + packet.bytes);
  std::memcpy(room.data() + kHeadroomBytes, packet.transport, packet.bytes);
  const Rebuilt rebuilt = rebuild(arrival, room.data() + kHeadroomBytes, packet.bytes);
  return {rebuilt.frame.begin(), rebuilt.frame.end()};
}

bool ends_in_right_icrc(const Bytes& frame) {
  const auto icrc = test::naive_icrc(frame);
  return std::equal(icrc.begin(), icrc.end(), frame.begin() + static_cast<std::ptrdiff_t>(test::icrc_offset(frame)));
}

}  // namespace

TEST_CASE("icrc: what a header field's change does to it is computed without the packet, and back", "[roce_v2]") {
  base::Rng rng(1, "icrc change");
  for (int round = 0; round < 300; ++round) {
    auto owned = random_v2(rng, true);
    Bytes frame = test::encoded(owned.packet);
    const std::uint32_t before = icrc_of(frame);
    const std::size_t end = test::icrc_offset(frame);
    const std::size_t at = kEthernet + (round % 2 == 0 ? 4 : 20);  // identification, UDP source port
    const auto change = static_cast<std::uint16_t>(rng.next());
    wire::store_be<std::uint16_t>(frame.data() + at, wire::load_be<std::uint16_t>(frame.data() + at) ^ change);
    const std::uint32_t difference = before ^ icrc_of(frame);
    REQUIRE(roce_v2::icrc_change(change, end - at) == difference);
    REQUIRE(roce_v2::explain_icrc_change(difference, end - at) == change);
  }
}

TEST_CASE("icrc: of all differences one in 65,536 is explained by an identification", "[roce_v2]") {
  base::Rng rng(2, "icrc change");
  int explained = 0;
  for (int round = 0; round < 200'000; ++round) {
    const auto difference = static_cast<std::uint32_t>(rng.next());
    explained += roce_v2::explain_icrc_change(difference, 4 * (rng.next() % 1000)).has_value() ? 1 : 0;
  }
  CHECK(explained < 20);  // 3 expected
}

TEST_CASE("udp: a frame taken apart is right for port 4791 and identification 0", "[net][udp]") {
  base::Rng rng(3, "take apart");
  for (int round = 0; round < 400; ++round) {
    const bool ipv4 = round % 2 == 0;
    auto owned = random_v2(rng, ipv4);
    Bytes frame = test::encoded(owned.packet);
    auto packet = take_apart(frame);
    REQUIRE(packet);
    REQUIRE(packet->source == owned.packet.path.source_gid);
    REQUIRE(packet->destination == owned.packet.path.destination_gid);
    REQUIRE(packet->traffic_class == owned.packet.path.traffic_class);
    REQUIRE(packet->hop_limit == owned.packet.path.hop_limit);
    REQUIRE(packet->process() == owned.packet.bth.destination_qpn >> 16);
    Bytes datagram = sent(*packet, ipv4);
    REQUIRE(ends_in_right_icrc(datagram));
    wire::Packet decoded;
    REQUIRE(decode_frame(datagram, decoded));
    REQUIRE(decoded.path.ipv4_identification == 0);
    REQUIRE(decoded.path.udp_source_port == wire::kRoceV2Port);
    if (!ipv4) continue;
    // A piece that the kernel numbers.
    const auto number = static_cast<std::uint16_t>(rng.next());
    set_identification(*packet, number);
    datagram = sent(*packet, ipv4);
    REQUIRE(ends_in_right_icrc(datagram));
    REQUIRE(wire::load_be<std::uint16_t>(datagram.data() + kEthernet + 4) == number);
  }
}

TEST_CASE("udp: what no socket can send is refused", "[net][udp]") {
  base::Rng rng(4, "refused");
  for (const bool ipv4 : {true, false}) {
    const auto owned = random_v2(rng, ipv4);
    const Bytes good = test::encoded(owned.packet);
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
      Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(bytes));
      REQUIRE_FALSE(take_apart(cut));
    }
    Bytes other = good;
    other[12] = std::byte{0x81};  // a VLAN tag, or nothing known
    CHECK_FALSE(take_apart(other));
    other = good;
    other[kEthernet + (ipv4 ? 22 : 42)] ^= std::byte{1};  // another port
    CHECK_FALSE(take_apart(other));
  }
  auto owned = random_v2(rng, true);
  Bytes frame = test::encoded(owned.packet);
  frame[kEthernet + 6] = std::byte{0};  // may be fragmented: a socket sends with don't-fragment
  const std::uint32_t sum = wire::load_be<std::uint16_t>(frame.data() + kEthernet + 10) + 0x4000u;
  wire::store_be<std::uint16_t>(frame.data() + kEthernet + 10,
                                static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16)));
  CHECK_FALSE(take_apart(frame));
  owned.packet.path.has_vlan = true;
  Bytes tagged = test::encoded(owned.packet);
  CHECK_FALSE(take_apart(tagged));
}

TEST_CASE("udp: a datagram becomes the frame that was sent, its unseen identification included", "[net][udp]") {
  base::Rng rng(5, "rebuild");
  for (int round = 0; round < 400; ++round) {
    const bool ipv4 = round % 2 == 0;
    const auto owned = random_v2(rng, ipv4);
    const Bytes frame = test::encoded(owned.packet);
    const wire::Path& path = owned.packet.path;
    const std::size_t at = ipv4 ? kIpv4Transport : kIpv6Transport;
    Bytes room(kHeadroomBytes + frame.size() - at);
    std::copy(frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end(), room.begin() + kHeadroomBytes);
    const Arrival arrival{path.source_gid, path.destination_gid, path.udp_source_port, path.traffic_class,
                          path.hop_limit};
    const Rebuilt rebuilt = rebuild(arrival, room.data() + kHeadroomBytes, frame.size() - at);
    REQUIRE(rebuilt.checked);
    wire::Packet decoded, quickly;
    REQUIRE(decode_frame(rebuilt.frame, decoded));
    REQUIRE(decode_checked_frame(rebuilt.frame, quickly));
    REQUIRE(decoded.path.ipv4_identification == (ipv4 ? path.ipv4_identification : 0));
    REQUIRE(decoded.path.traffic_class == path.traffic_class);
    REQUIRE(decoded.path.hop_limit == path.hop_limit);
    REQUIRE(decoded.bth.psn == owned.packet.bth.psn);
  }
}

TEST_CASE("udp: Linux's own packets are found right without their identification", "[net][udp]") {
  std::size_t packets = 0, numbered = 0;
  for (const test::GoldenFrame& golden : test::golden_frames()) {
    wire::Packet packet;
    if (!decode_frame(golden.bytes, packet) || packet.path.has_vlan) continue;
    const wire::Path& path = packet.path;
    if (path.encapsulation == wire::Encapsulation::kRoceV1) continue;
    const std::size_t at = path.encapsulation == wire::Encapsulation::kRoceV2Ipv4 ? kIpv4Transport : kIpv6Transport;
    const std::size_t end = test::icrc_offset(golden.bytes) + 4;
    Bytes room(kHeadroomBytes);
    room.insert(room.end(), golden.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                golden.bytes.begin() + static_cast<std::ptrdiff_t>(end));
    const Arrival arrival{path.source_gid, path.destination_gid, path.udp_source_port, path.traffic_class,
                          path.hop_limit};
    const Rebuilt rebuilt = rebuild(arrival, room.data() + kHeadroomBytes, end - at);
    INFO(golden.origin);
    REQUIRE(rebuilt.checked);
    wire::Packet again;
    REQUIRE(decode_frame(rebuilt.frame, again));
    REQUIRE(again.path.ipv4_identification == path.ipv4_identification);
    ++packets;
    numbered += path.ipv4_identification != 0 ? 1 : 0;
  }
  CHECK(packets > 100);
  CHECK(numbered > 100);
}

TEST_CASE("udp: a damaged datagram is not taken for right, and the decoder says so", "[net][udp]") {
  base::Rng rng(6, "damage");
  int passed = 0;
  for (int round = 0; round < 3000; ++round) {
    const bool ipv4 = round % 2 == 0;
    const auto owned = random_v2(rng, ipv4);
    const Bytes frame = test::encoded(owned.packet);
    const wire::Path& path = owned.packet.path;
    const std::size_t at = ipv4 ? kIpv4Transport : kIpv6Transport;
    Bytes room(kHeadroomBytes);
    room.insert(room.end(), frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end());
    const std::size_t bytes = room.size() - kHeadroomBytes;
    std::size_t where = rng.next() % bytes;
    if (where == 4) where = 5;  // FECN and BECN are not covered
    room[kHeadroomBytes + where] ^= static_cast<std::byte>(1u << rng.next() % 8);
    const Arrival arrival{path.source_gid, path.destination_gid, path.udp_source_port, 0, 64};
    const Rebuilt rebuilt = rebuild(arrival, room.data() + kHeadroomBytes, bytes);
    wire::Packet decoded;
    if (rebuilt.checked || decode_frame(rebuilt.frame, decoded)) ++passed;
  }
  CHECK(passed <= 2);
}

TEST_CASE("udp: any bytes may arrive, of any length", "[net][udp]") {
  base::Rng rng(7, "any bytes");
  for (std::size_t bytes = 0; bytes < 6000; bytes = bytes < 100 ? bytes + 1 : bytes + 97) {
    Bytes room(kHeadroomBytes + bytes);
    for (std::byte& b : room) b = static_cast<std::byte>(rng.next());
    for (const bool ipv4 : {true, false}) {
      const wire::Gid gid = ipv4 ? wire::Gid::from_ipv4(0x0a000001) : wire::parse_gid("fd00::1").value();
      const Rebuilt rebuilt = rebuild({gid, gid, 4791, 0, 64}, room.data() + kHeadroomBytes, bytes);
      REQUIRE(rebuilt.frame.size() == bytes + (ipv4 ? kIpv4Transport : kIpv6Transport));
      wire::Packet packet;
      REQUIRE_FALSE((!rebuilt.checked && decode_frame(rebuilt.frame, packet)));
    }
  }
}

}  // namespace rocelab::net::udp
