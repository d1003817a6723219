// The frame codec on good frames: Linux's own, and random packets of every opcode in every encapsulation.
#include "net/frame_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/naive_icrc.h"
#include "tests/support/random_packet.h"

namespace rocelab::net {

using test::encoded;
using wire::Encapsulation;
using wire::Opcode;
using wire::Packet;

TEST_CASE("codec: every packet of Linux's rxe decodes, ICRC included", "[net][codec][golden]") {
  REQUIRE(test::golden_frames().size() > 300);
  for (const auto& frame : test::golden_frames()) {
    INFO(frame.origin);
    Packet packet;
    const auto decoded = decode_frame(frame.bytes, packet);
    REQUIRE(decoded.has_value());
  }
}

TEST_CASE("codec: every packet of Linux's rxe encodes to the same bytes again", "[net][codec][golden]") {
  for (const auto& frame : test::golden_frames()) {
    INFO(frame.origin);
    Packet packet;
    REQUIRE(decode_frame(frame.bytes, packet).has_value());
    REQUIRE(encoded_size(packet) == frame.bytes.size());
    REQUIRE(encoded(packet) == frame.bytes);
  }
}

TEST_CASE("codec: every packet of Linux's rxe prints as it always did", "[net][codec][golden]") {
  std::string text;
  for (const auto& frame : test::golden_frames()) {
    Packet packet;
    REQUIRE(decode_frame(frame.bytes, packet).has_value());
    text += frame.origin + " " + to_string(packet) + "\n";
  }
  CHECK(test::differs_from_golden(text, "tests/golden/printed.txt") == "");
}

TEST_CASE("codec: every opcode survives a round trip in every encapsulation, tagged or not", "[net][codec]") {
  base::Rng rng(1, "net.codec.round_trip");
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    for (const bool vlan : {false, true}) {
      for (const Opcode opcode : test::all_opcodes()) {
        for (const std::size_t bytes : {0u, 1u, 2u, 3u, 4u, 64u, 255u, 1024u, 4096u}) {
          INFO(name(opcode) << ", " << bytes << " bytes, encapsulation " << static_cast<int>(encapsulation) << ", VLAN "
                            << vlan);
          const auto sent = test::random_packet(rng, encapsulation, vlan, opcode, bytes);
          const auto frame = encoded(sent.packet);
          REQUIRE(frame.size() == encoded_size(sent.packet));
          Packet received;
          REQUIRE(decode_frame(frame, received).has_value());
          REQUIRE(std::string(test::difference(sent.packet, received)) == "");
          REQUIRE(encoded(received) == frame);
        }
      }
    }
  }
}

TEST_CASE("codec: the encoder writes every byte of the frame", "[net][codec]") {
  base::Rng rng(2, "net.codec.every_byte");
  for (unsigned i = 0; i < 500; ++i) {
    const auto sent = test::random_packet(rng);
    std::vector<std::byte> a(encoded_size(sent.packet) + 8, std::byte{0xa5});
    std::vector<std::byte> b(a.size(), std::byte{0x5a});
    const std::size_t bytes = encode_frame(sent.packet, a);
    REQUIRE(bytes == encode_frame(sent.packet, b));
    REQUIRE(std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(bytes), b.begin()));
    // And none behind it.
    REQUIRE(std::all_of(a.begin() + static_cast<std::ptrdiff_t>(bytes), a.end(),
                        [](std::byte byte) { return byte == std::byte{0xa5}; }));
  }
}

TEST_CASE("codec: a payload in pieces becomes the same frame as one in a row", "[net][codec]") {
  base::Rng rng(3, "net.codec.pieces");
  for (unsigned i = 0; i < 300; ++i) {
    auto sent = test::random_packet(rng, Encapsulation::kRoceV2Ipv4, false, Opcode::kRcSendOnly, rng.below(2000));
    const auto whole = encoded(sent.packet);
    std::vector<wire::Segment> pieces;
    std::size_t at = 0;
    while (at < sent.payload.size()) {
      const std::size_t bytes = std::min<std::size_t>(rng.below(400), sent.payload.size() - at);
      pieces.push_back({sent.payload.data() + at, static_cast<std::uint32_t>(bytes)});
      at += bytes;
    }
    pieces.push_back({nullptr, 0});  // an empty piece needs no memory
    sent.packet.payload.data = nullptr;
    sent.packet.payload.pieces = pieces;
    REQUIRE(encoded(sent.packet) == whole);
  }
}

TEST_CASE("codec: the pad count is computed, whatever the packet says", "[net][codec]") {
  const std::array<std::byte, 5> payload{};
  Packet packet;
  packet.bth.opcode = Opcode::kUdSendOnly;
  for (std::uint32_t bytes = 0; bytes <= payload.size(); ++bytes) {
    packet.payload = {payload.data(), bytes, {}};
    packet.bth.pad_count = 3;
    const auto frame = encoded(packet);
    Packet received;
    REQUIRE(decode_frame(frame, received).has_value());
    CHECK(received.payload.length == bytes);
    CHECK(received.bth.pad_count == (4 - bytes % 4) % 4);
  }
}

TEST_CASE("codec: Ethernet's padding behind a frame is no part of it", "[net][codec]") {
  base::Rng rng(4, "net.codec.padding");
  for (unsigned i = 0; i < 200; ++i) {
    const auto sent = test::random_packet(rng);
    auto frame = encoded(sent.packet);
    const std::size_t padding = 1 + rng.below(50);
    for (std::size_t n = 0; n < padding; ++n) frame.push_back(static_cast<std::byte>(rng.next() >> 56));
    Packet received;
    REQUIRE(decode_frame(frame, received).has_value());
    REQUIRE(std::string(test::difference(sent.packet, received)) == "");
  }
}

TEST_CASE("codec: what was in the packet before does not show after decoding", "[net][codec]") {
  base::Rng rng(5, "net.codec.stale");
  Packet received;
  const wire::Segment piece;
  for (unsigned i = 0; i < 2000; ++i) {
    const auto sent = test::random_packet(rng);
    const auto frame = encoded(sent.packet);
    received.payload.pieces = {&piece, 1};
    REQUIRE(decode_frame(frame, received).has_value());
    REQUIRE(std::string(test::difference(sent.packet, received)) == "");
  }
}

TEST_CASE("codec: a CNP carries sixteen reserved bytes of zero", "[net][codec][cnp]") {
  Packet packet;
  packet.bth.opcode = Opcode::kCnp;
  packet.bth.becn = true;
  packet.bth.destination_qpn = 0x123456;
  const auto frame = encoded(packet);
  REQUIRE(frame.size() == 14 + 28 + 12 + 16 + 4);
  CHECK(std::all_of(frame.begin() + 14 + 28 + 12, frame.end() - 4, [](std::byte b) { return b == std::byte{0}; }));
  Packet received;
  REQUIRE(decode_frame(frame, received).has_value());
  CHECK(received.bth.opcode == Opcode::kCnp);
  CHECK(received.bth.becn);
  CHECK(received.payload.length == 0);
  CHECK(to_string(received).find("CNP qp 0x123456") != std::string::npos);
}

TEST_CASE("codec: a UDP checksum, another TTL and router-set ECN bits are accepted", "[net][codec]") {
  base::Rng rng(6, "net.codec.variant");
  const auto sent = test::random_packet(rng, Encapsulation::kRoceV2Ipv6, false, Opcode::kRcRdmaWriteOnly, 100);
  auto frame = encoded(sent.packet);
  frame[14 + 46] = std::byte{0x12};  // UDP checksum
  frame[14 + 7] = std::byte{3};      // hop limit
  frame[14 + 1] |= std::byte{0x30};  // ECN: congestion experienced
  Packet received;
  REQUIRE(decode_frame(frame, received).has_value());
  CHECK(received.path.hop_limit == 3);
  CHECK((received.path.traffic_class & 3) == 3);
}

}  // namespace rocelab::net
