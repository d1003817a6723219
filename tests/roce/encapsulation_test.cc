// The network headers that the encapsulations write and read, byte for byte. What the whole decoder refuses is in
// tests/net/frame_decoder_test.cc.
#include <array>
#include <string>
#include <vector>

#include "roce_v1/encapsulation.h"
#include "roce_v2/encapsulation.h"
#include "tests/support/catch.h"
#include "wire/ipv4.h"

namespace rocelab {

using wire::Encapsulation;
using wire::FrameError;
using wire::Path;

namespace {

Path path(Encapsulation encapsulation, const char* source, const char* destination) {
  Path p;
  p.encapsulation = encapsulation;
  p.source_gid = *wire::parse_gid(source);
  p.destination_gid = *wire::parse_gid(destination);
  p.traffic_class = 0x6a;  // DSCP 26, ECN capable
  p.hop_limit = 9;
  if (encapsulation != Encapsulation::kRoceV1) p.udp_source_port = 0xc123;
  if (encapsulation == Encapsulation::kRoceV2Ipv4) p.ipv4_identification = 0x1234;
  if (encapsulation != Encapsulation::kRoceV2Ipv4) p.flow_label = 0xabcde;
  return p;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("RoCE v2 over IPv4: don't-fragment is set, no UDP checksum, lengths include the ICRC", "[roce][v2]") {
  std::array<std::byte, roce_v2::kIpv4HeaderBytes + 20> bytes;
  bytes.fill(std::byte{0xa5});
  const Path p = path(Encapsulation::kRoceV2Ipv4, "10.77.0.1", "10.77.0.2");
  roce_v2::emit_headers(p, 16, bytes.data());
  const auto header = std::span(bytes).first(roce_v2::kIpv4HeaderBytes);
  CHECK(wire::Ipv4Header::sum(header.data()) == 0xffff);
  std::string text = hex(header);
  text.replace(20, 4, "....");  // the checksum, checked above
  CHECK(text ==
        "456a002c123440000911....0a4d00010a4d0002"
        "c12312b700180000");
  CHECK(bytes[roce_v2::kIpv4HeaderBytes] == std::byte{0xa5});

  Path parsed;
  const auto transport = roce_v2::parse_ipv4(bytes, parsed);
  REQUIRE(transport.has_value());
  CHECK(transport->data() == bytes.data() + roce_v2::kIpv4HeaderBytes);
  CHECK(transport->size() == 16);  // the last four bytes are Ethernet's padding
  CHECK(parsed == p);
}

TEST_CASE("RoCE v2 over IPv6: traffic class, flow label, lengths with the ICRC", "[roce][v2]") {
  std::array<std::byte, roce_v2::kIpv6HeaderBytes + 16> bytes;
  bytes.fill(std::byte{0xa5});
  const Path p = path(Encapsulation::kRoceV2Ipv6, "fd77::1", "fd77::2");
  roce_v2::emit_headers(p, 16, bytes.data());
  CHECK(hex(std::span(bytes).first(roce_v2::kIpv6HeaderBytes)) ==
        "66aabcde00181109"
        "fd770000000000000000000000000001"
        "fd770000000000000000000000000002"
        "c12312b700180000");
  CHECK(bytes[roce_v2::kIpv6HeaderBytes] == std::byte{0xa5});

  Path parsed;
  const auto transport = roce_v2::parse_ipv6(bytes, parsed);
  REQUIRE(transport.has_value());
  CHECK(transport->size() == 16);
  CHECK(parsed == p);
}

TEST_CASE("RoCE v1: a GRH with next header 0x1b whose length includes the ICRC", "[roce][v1]") {
  std::array<std::byte, roce_v1::kHeaderBytes + 16> bytes;
  bytes.fill(std::byte{0xa5});
  const Path p = path(Encapsulation::kRoceV1, "fe80::1", "fe80::2");
  roce_v1::emit_headers(p, 16, bytes.data());
  CHECK(hex(std::span(bytes).first(roce_v1::kHeaderBytes)) ==
        "66aabcde00101b09"
        "fe800000000000000000000000000001"
        "fe800000000000000000000000000002");
  CHECK(bytes[roce_v1::kHeaderBytes] == std::byte{0xa5});

  Path parsed;
  const auto transport = roce_v1::parse(bytes, parsed);
  REQUIRE(transport.has_value());
  CHECK(transport->size() == 16);
  CHECK(parsed == p);
}

TEST_CASE("encapsulations: headers that are cut are truncated", "[roce]") {
  Path parsed;
  const std::vector<std::byte> bytes(39, std::byte{0x66});
  CHECK(roce_v1::parse(bytes, parsed).error() == FrameError::kTruncated);
  CHECK(roce_v2::parse_ipv6(bytes, parsed).error() == FrameError::kTruncated);
  CHECK(roce_v2::parse_ipv4(std::span(bytes).first(19), parsed).error() == FrameError::kTruncated);
  CHECK(roce_v1::parse({}, parsed).error() == FrameError::kTruncated);
}

}  // namespace rocelab
