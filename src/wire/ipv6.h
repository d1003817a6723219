// IPv6 header (RFC 8200) and the GRH, which has the same layout (IBTA vol 1, 8.3); only the next header differs
// (0x1b: an InfiniBand transport header follows):
//
//   | version:4 traffic class:8 flow label:20 |
//   | payload length | next header | hop limit |
//   |           source (16)                    |
//   |         destination (16)                 |
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "wire/bytes.h"
#include "wire/gid.h"

namespace rocelab::wire {

struct Ipv6Header {
  static constexpr std::size_t kSize = 40;
  static constexpr std::uint8_t kNextUdp = 17;
  static constexpr std::uint8_t kNextTransport = 0x1b;  ///< GRH: IBTA vol 1, 8.3.6

  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;  ///< 20 bits
  std::uint16_t payload_length = 0;
  std::uint8_t next_header = kNextUdp;
  std::uint8_t hop_limit = 64;
  Gid source;
  Gid destination;

  /// bytes.size() >= kSize. Does not look at the version: see valid().
  static Ipv6Header parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    const auto first = load_be<std::uint32_t>(p);
    Ipv6Header header;
    header.traffic_class = static_cast<std::uint8_t>(first >> 20);
    header.flow_label = first & 0xf'ffff;
    header.payload_length = load_be<std::uint16_t>(p + 4);
    header.next_header = load_u8(p + 6);
    header.hop_limit = load_u8(p + 7);
    std::memcpy(header.source.bytes.data(), p + 8, 16);
    std::memcpy(header.destination.bytes.data(), p + 24, 16);
    return header;
  }
  /// Version 6. bytes.size() >= kSize.
  static bool valid(std::span<const std::byte> bytes) { return load_u8(bytes.data()) >> 4 == 6; }
  /// bytes.size() >= kSize; writes every byte.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint32_t>(p, 6u << 28 | static_cast<std::uint32_t>(traffic_class) << 20 | (flow_label & 0xf'ffff));
    store_be<std::uint16_t>(p + 4, payload_length);
    store_u8(p + 6, next_header);
    store_u8(p + 7, hop_limit);
    std::memcpy(p + 8, source.bytes.data(), 16);
    std::memcpy(p + 24, destination.bytes.data(), 16);
  }
  friend bool operator==(const Ipv6Header&, const Ipv6Header&) = default;
};

/// The global route header of RoCE v1.
using Grh = Ipv6Header;

}  // namespace rocelab::wire
