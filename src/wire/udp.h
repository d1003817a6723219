// UDP header (RFC 768) and the port numbers of RoCE v2 (IBTA annex A17.3.3):
//
//   | source port | destination port | length | checksum |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/bytes.h"

namespace rocelab::wire {

inline constexpr std::uint16_t kRoceV2Port = 4791;

struct UdpHeader {
  static constexpr std::size_t kSize = 8;

  std::uint16_t source_port = 0;
  std::uint16_t destination_port = kRoceV2Port;
  std::uint16_t length = 0;    ///< header and data
  std::uint16_t checksum = 0;  ///< 0: none; the ICRC protects what matters

  /// bytes.size() >= kSize.
  static UdpHeader parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    return {load_be<std::uint16_t>(p), load_be<std::uint16_t>(p + 2), load_be<std::uint16_t>(p + 4),
            load_be<std::uint16_t>(p + 6)};
  }
  /// bytes.size() >= kSize.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint16_t>(p, source_port);
    store_be<std::uint16_t>(p + 2, destination_port);
    store_be<std::uint16_t>(p + 4, length);
    store_be<std::uint16_t>(p + 6, checksum);
  }
  friend bool operator==(const UdpHeader&, const UdpHeader&) = default;
};

/// The source port is entropy for ECMP and must stay the same for the life of a QP pair (annex A17.3.3): a hash of the
/// two QPNs in 0xc000..0xffff, the dynamic range that Linux's RoCE drivers use.
constexpr std::uint16_t udp_source_port(std::uint32_t source_qpn, std::uint32_t destination_qpn) {
  std::uint64_t hash = static_cast<std::uint64_t>(source_qpn) << 24 | destination_qpn;
  hash *= 0x9e3779b97f4a7c15u;
  return static_cast<std::uint16_t>(0xc000 | hash >> 50);
}

}  // namespace rocelab::wire
