// Ethernet header (IEEE 802.3) and the 802.1Q tag that may follow its addresses:
//
//   | destination (6) | source (6) | type (2) |
//   | destination (6) | source (6) | 0x8100 | PCP:3 DEI:1 VID:12 | type (2) |
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "wire/bytes.h"
#include "wire/mac.h"

namespace rocelab::wire {

namespace ethertype {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kVlan = 0x8100;
inline constexpr std::uint16_t kIpv6 = 0x86dd;
inline constexpr std::uint16_t kRoceV1 = 0x8915;  ///< IBTA annex A16
}  // namespace ethertype

struct EthernetHeader {
  static constexpr std::size_t kSize = 14;
  MacAddress destination{};
  MacAddress source{};
  std::uint16_t type = 0;

  /// bytes.size() >= kSize.
  static EthernetHeader parse(std::span<const std::byte> bytes) {
    EthernetHeader header;
    std::memcpy(header.destination.data(), bytes.data(), 6);
    std::memcpy(header.source.data(), bytes.data() + 6, 6);
    header.type = load_be<std::uint16_t>(bytes.data() + 12);
    return header;
  }
  /// bytes.size() >= kSize.
  void emit(std::span<std::byte> bytes) const {
    std::memcpy(bytes.data(), destination.data(), 6);
    std::memcpy(bytes.data() + 6, source.data(), 6);
    store_be<std::uint16_t>(bytes.data() + 12, type);
  }
  friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

/// What follows the Ethertype 0x8100: tag control information and the type of what comes next (IEEE 802.1Q, 9.6).
struct VlanTag {
  static constexpr std::size_t kSize = 4;
  std::uint8_t priority = 0;  ///< PCP
  bool drop_eligible = false;
  std::uint16_t id = 0;  ///< 12 bits
  std::uint16_t type = 0;

  /// bytes.size() >= kSize.
  static VlanTag parse(std::span<const std::byte> bytes) {
    const auto control = load_be<std::uint16_t>(bytes.data());
    return {static_cast<std::uint8_t>(control >> 13), (control & 0x1000) != 0,
            static_cast<std::uint16_t>(control & 0x0fff), load_be<std::uint16_t>(bytes.data() + 2)};
  }
  /// bytes.size() >= kSize.
  void emit(std::span<std::byte> bytes) const {
    const unsigned control = static_cast<unsigned>(priority & 7) << 13 | (drop_eligible ? 0x1000u : 0) | (id & 0x0fffu);
    store_be<std::uint16_t>(bytes.data(), static_cast<std::uint16_t>(control));
    store_be<std::uint16_t>(bytes.data() + 2, type);
  }
  friend bool operator==(const VlanTag&, const VlanTag&) = default;
};

}  // namespace rocelab::wire
