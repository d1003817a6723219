// The decoder on bad frames: each kind of damage has its own reason, and no frame is read beyond its end.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/frame_codec.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/naive_icrc.h"
#include "tests/support/random_packet.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

namespace rocelab::net {

using test::encoded;
using test::FrameBytes;
using wire::Encapsulation;
using wire::FrameError;
using wire::Opcode;
using wire::Packet;

namespace {

/// The reason, or "decoded". The frame is decoded in memory of exactly its size, so that the address sanitizer sees a
/// read beyond its end.
std::string verdict(const FrameBytes& frame) {
  const auto exact = std::make_unique<std::byte[]>(frame.size());
  if (!frame.empty()) std::memcpy(exact.get(), frame.data(), frame.size());
  Packet packet;
  const auto decoded = decode_frame({exact.get(), frame.size()}, packet);
  return decoded ? "decoded" : std::string(name(decoded.error()));
}

FrameBytes sample(Encapsulation encapsulation, Opcode opcode = Opcode::kRcSendOnly, std::size_t bytes = 64) {
  base::Rng rng(1, "net.decoder.sample");
  return encoded(test::random_packet(rng, encapsulation, false, opcode, bytes).packet);
}

constexpr std::size_t kIp = 14;  // no VLAN tag in sample()

void set16(FrameBytes& frame, std::size_t at, std::size_t value) {
  frame[at] = static_cast<std::byte>(value >> 8);
  frame[at + 1] = static_cast<std::byte>(value);
}

void repair_ipv4_checksum(FrameBytes& frame) {
  set16(frame, kIp + 10, 0);
  set16(frame, kIp + 10, static_cast<std::uint16_t>(~wire::Ipv4Header::sum(frame.data() + kIp)));
}

/// Puts the ICRC right, so that something else must be what the decoder objects to.
void repair_icrc(FrameBytes& frame) {
  const auto icrc = test::naive_icrc(frame);
  std::copy(icrc.begin(), icrc.end(), frame.begin() + static_cast<std::ptrdiff_t>(test::icrc_offset(frame)));
}

std::size_t bth_at(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kRoceV1:
      return kIp + 40;
    case Encapsulation::kRoceV2Ipv4:
      return kIp + 28;
    case Encapsulation::kRoceV2Ipv6:
      return kIp + 48;
  }
  return 0;
}

/// Changes the transport's length by `by` bytes, in the frame and in every header that knows it.
FrameBytes resized(Encapsulation encapsulation, FrameBytes frame, std::ptrdiff_t by) {
  frame.resize(static_cast<std::size_t>(static_cast<std::ptrdiff_t>(frame.size()) + by));
  const std::size_t after_ip = frame.size() - kIp - (encapsulation == Encapsulation::kRoceV2Ipv4 ? 20 : 40);
  if (encapsulation == Encapsulation::kRoceV2Ipv4) {
    set16(frame, kIp + 2, frame.size() - kIp);
    set16(frame, kIp + 24, after_ip);
    repair_ipv4_checksum(frame);
  } else {
    set16(frame, kIp + 4, after_ip);
    if (encapsulation == Encapsulation::kRoceV2Ipv6) set16(frame, kIp + 44, after_ip);
  }
  if (test::icrc_offset(frame) >= bth_at(encapsulation) + wire::Bth::kSize) repair_icrc(frame);
  return frame;
}

}  // namespace

TEST_CASE("decoder: a frame cut anywhere is refused and never read beyond its end", "[net][decoder]") {
  base::Rng rng(1, "net.decoder.cut");
  for (unsigned i = 0; i < 40; ++i) {
    const auto whole = encoded(test::random_packet(rng).packet);
    for (std::size_t bytes = 0; bytes < std::min<std::size_t>(whole.size(), 300); ++bytes) {
      INFO("packet " << i << " cut to " << bytes << " of " << whole.size());
      REQUIRE(verdict(FrameBytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes))) == "truncated");
    }
  }
}

TEST_CASE("decoder: one flipped bit of what the ICRC covers is noticed", "[net][decoder][icrc]") {
  base::Rng rng(2, "net.decoder.flip");
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    const auto frame = sample(encapsulation, Opcode::kRcRdmaWriteOnly, 31);
    for (std::size_t at = bth_at(encapsulation); at < frame.size(); ++at) {
      if (at == bth_at(encapsulation) + 4) continue;  // FECN and BECN: a router may change them
      for (unsigned bit = 0; bit < 8; ++bit) {
        auto flipped = frame;
        flipped[at] ^= std::byte{1} << bit;
        INFO("byte " << at << " bit " << bit);
        REQUIRE(verdict(flipped) != "decoded");
      }
    }
  }
}

TEST_CASE("decoder: a wrong ICRC is refused in every encapsulation", "[net][decoder][icrc]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    auto frame = sample(encapsulation);
    CHECK(verdict(frame) == "decoded");
    frame.back() ^= std::byte{1};
    CHECK(verdict(frame) == "bad_icrc");
  }
}

TEST_CASE("decoder: frames of other protocols are not RoCE, and no error", "[net][decoder]") {
  auto frame = sample(Encapsulation::kRoceV2Ipv4);
  SECTION("another Ethertype") { set16(frame, 12, 0x0806); }
  SECTION("another IP protocol") { frame[kIp + 9] = std::byte{6}; }
  SECTION("another UDP port") { set16(frame, kIp + 22, 4790); }
  SECTION("a later IPv4 fragment, which has no ports") {
    set16(frame, kIp + 6, 100);
    repair_ipv4_checksum(frame);
  }
  SECTION("another UDP port behind IPv4 options, a wrong checksum and a wrong length") {
    frame[kIp] = std::byte{0x46};
    set16(frame, kIp + 2, 0xffff);
    set16(frame, kIp + 24 + 2, 53);
  }
  SECTION("another UDP port behind IPv6 with a wrong length") {
    frame = sample(Encapsulation::kRoceV2Ipv6);
    set16(frame, kIp + 4, 0xffff);
    set16(frame, kIp + 42, 53);
  }
  SECTION("two VLAN tags") {
    set16(frame, 12, 0x8100);
    set16(frame, 16, 0x8100);
  }
  SECTION("IPv6 with an extension header") {
    frame = sample(Encapsulation::kRoceV2Ipv6);
    frame[kIp + 6] = std::byte{0};
  }
  CHECK(verdict(frame) == "not_roce");
}

TEST_CASE("decoder: bad network headers are refused", "[net][decoder]") {
  auto frame = sample(Encapsulation::kRoceV2Ipv4);
  SECTION("IPv4 with another version") { frame[kIp] = std::byte{0x55}; }
  SECTION("IPv4 with options") {
    frame[kIp] = std::byte{0x46};
    set16(frame, kIp + 24 + 2, wire::kRoceV2Port);
  }
  SECTION("IPv4 with a wrong checksum") { frame[kIp + 10] ^= std::byte{1}; }
  SECTION("a first fragment") {
    frame[kIp + 6] = std::byte{0x20};
    repair_ipv4_checksum(frame);
  }
  SECTION("IPv6 with another version") {
    frame = sample(Encapsulation::kRoceV2Ipv6);
    frame[kIp] = std::byte{0x45};
  }
  SECTION("GRH with another version") {
    frame = sample(Encapsulation::kRoceV1);
    frame[kIp] = std::byte{0x45};
  }
  SECTION("GRH in front of something else than a transport header") {
    frame = sample(Encapsulation::kRoceV1);
    frame[kIp + 6] = std::byte{17};
  }
  CHECK(verdict(frame) == "bad_ip_header");
}

TEST_CASE("decoder: lengths that contradict each other are refused", "[net][decoder]") {
  auto frame = sample(Encapsulation::kRoceV2Ipv4);
  SECTION("the UDP length is longer than the IP payload") {
    set16(frame, kIp + 24, frame.size() - kIp - 20 + 4);
    CHECK(verdict(frame) == "bad_length");
  }
  SECTION("the UDP length is shorter than the IP payload") {
    set16(frame, kIp + 24, frame.size() - kIp - 20 - 4);
    CHECK(verdict(frame) == "bad_length");
  }
  SECTION("the IP total length is shorter than its header") {
    set16(frame, kIp + 2, 19);
    repair_ipv4_checksum(frame);
    CHECK(verdict(frame) == "bad_length");
  }
  SECTION("the IP total length leaves no room for UDP") {
    set16(frame, kIp + 2, 24);
    repair_ipv4_checksum(frame);
    CHECK(verdict(frame) == "truncated");
  }
  SECTION("the IP total length is longer than the frame") {
    set16(frame, kIp + 2, frame.size() - kIp + 1);
    repair_ipv4_checksum(frame);
    CHECK(verdict(frame) == "truncated");
  }
  SECTION("payload and padding are not whole words") {
    for (const Encapsulation encapsulation : test::kEncapsulations) {
      for (std::ptrdiff_t by = 1; by <= 3; ++by) {
        CHECK(verdict(resized(encapsulation, sample(encapsulation), by)) == "bad_length");
      }
    }
  }
  SECTION("the payload is longer than any path MTU") {
    for (const Encapsulation encapsulation : test::kEncapsulations) {
      const auto largest = sample(encapsulation, Opcode::kRcSendOnly, 4096);
      CHECK(verdict(largest) == "decoded");
      CHECK(verdict(resized(encapsulation, largest, 4)) == "bad_length");
    }
  }
}

TEST_CASE("decoder: a transport too short for its headers is truncated, though the lengths agree", "[net][decoder]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    const auto frame = sample(encapsulation, Opcode::kRcRdmaWriteOnly, 0);
    for (std::ptrdiff_t missing = 4; missing <= 16 + 12; missing += 4) {
      INFO("missing " << missing);
      auto cut = frame;
      cut = resized(encapsulation, cut, -missing);
      CHECK(verdict(cut) == "truncated");
    }
  }
}

TEST_CASE("decoder: opcodes that IBTA does not define are refused", "[net][decoder]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    for (unsigned value = 0; value < 256; ++value) {
      if (is_valid(static_cast<Opcode>(value))) continue;
      auto frame = sample(encapsulation);
      frame[bth_at(encapsulation)] = static_cast<std::byte>(value);
      repair_icrc(frame);
      INFO("opcode " << value);
      REQUIRE(verdict(frame) == "unknown_opcode");
    }
  }
}

TEST_CASE("decoder: a transport header version other than 0 is refused", "[net][decoder]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    for (unsigned version = 1; version < 16; ++version) {
      auto frame = sample(encapsulation);
      frame[bth_at(encapsulation) + 1] |= static_cast<std::byte>(version);
      repair_icrc(frame);
      CHECK(verdict(frame) == "bad_version");
    }
  }
}

TEST_CASE("decoder: padding longer than what is there, or where no payload may be, is refused", "[net][decoder]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    const std::size_t flags = bth_at(encapsulation) + 1;
    auto empty = sample(encapsulation, Opcode::kRcSendOnly, 0);
    empty[flags] |= std::byte{0x10};
    repair_icrc(empty);
    CHECK(verdict(empty) == "bad_pad");

    for (const Opcode opcode : test::all_opcodes()) {
      if (has_payload(opcode)) continue;
      INFO(name(opcode));
      const auto frame = sample(encapsulation, opcode, 0);
      auto padded = frame;
      padded[flags] |= std::byte{0x10};
      repair_icrc(padded);
      CHECK(verdict(padded) == "bad_pad");
      CHECK(verdict(resized(encapsulation, frame, 4)) == "bad_pad");  // a payload
    }
  }
}

TEST_CASE("decoder: random bytes behind a good start never decode to more than the frame holds", "[net][decoder]") {
  base::Rng rng(7, "net.decoder.noise");
  for (const auto& golden : test::golden_frames()) {
    for (unsigned round = 0; round < 20; ++round) {
      FrameBytes frame = golden.bytes;
      const std::uint64_t changes = 1 + rng.below(8);
      for (std::uint64_t i = 0; i < changes; ++i) {
        frame[rng.below(std::min<std::size_t>(frame.size(), 90))] = static_cast<std::byte>(rng.next() >> 56);
      }
      Packet packet;
      if (!decode_frame(frame, packet)) continue;
      const std::byte* const end = packet.payload.data + packet.payload.length;
      REQUIRE((packet.payload.data >= frame.data() && end <= frame.data() + frame.size()));
    }
  }
}

}  // namespace rocelab::net
