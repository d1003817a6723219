// What steering rules can look at in an Ethernet frame, gathered into one array of bytes, so that a rule is a value and
// a mask. Fields are in network order, as they come; what a frame does not have is zero. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rocelab::rxe {

struct FlowKey {
  // Offsets of the fields.
  static constexpr std::size_t kDestinationMac = 0, kSourceMac = 6, kEtherType = 12, kVlanTag = 14;
  static constexpr std::size_t kSourceIp = 16, kDestinationIp = 32;  ///< IPv4: the first four bytes
  static constexpr std::size_t kProtocol = 48, kTos = 49, kTtl = 50, kIpFlags = 51, kFlowLabel = 52;
  static constexpr std::size_t kDestinationPort = 56, kSourcePort = 58;
  static constexpr std::size_t kLayers = 60;  ///< bits below
  static constexpr std::size_t kSize = 64;
  static constexpr std::byte kIpv4{1}, kIpv6{2}, kTcp{4}, kUdp{8}, kVlan{16};

  std::array<std::byte, kSize> bytes{};

  /// The frame's fields. Later fragments of an IPv4 datagram have no ports. `frame` has at least an Ethernet header.
  static FlowKey of(std::span<const std::byte> frame);
};

}  // namespace rocelab::rxe
