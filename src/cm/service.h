// The RDMA IP CM service (IBTA vol 1, annex A11): which service id stands for a port of a port space, and the header of
// addresses that requests carry in front of their consumer's private data. Also which service a listener answers.
//
//   0 | major 4 | minor 4 | IP version 4 | reserved 4 |  source port (2)  |
//   4 |                 source address (16; IPv4: the last 4)             |
//  20 |              destination address (16; IPv4: the last 4)           |
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/gid.h"

namespace rocelab::cm {

/// Port spaces of rdma_cm; the value is the middle of the service id (RDMA_PS_*).
enum class PortSpace : std::uint16_t {
  kIpoib = 0x0002,
  kTcp = 0x0106,
  kUdp = 0x0111,
  kIb = 0x013f,
};

constexpr std::uint64_t service_id(PortSpace space, std::uint16_t port) {
  return static_cast<std::uint64_t>(space) << 16 | port;
}
inline constexpr std::uint64_t kExactService = ~0ull;

/// Of TCP and UDP services only, those of annex A11: requests for them carry an IpHeader.
constexpr bool has_ip_header(std::uint64_t service) {
  const std::uint64_t space = service >> 16;
  return space == static_cast<std::uint64_t>(PortSpace::kTcp) || space == static_cast<std::uint64_t>(PortSpace::kUdp) ||
         space == static_cast<std::uint64_t>(PortSpace::kIb) || space == static_cast<std::uint64_t>(PortSpace::kIpoib);
}

struct IpHeader {
  static constexpr std::size_t kSize = 36;

  std::uint8_t ip_version = 4;  ///< 4 or 6
  std::uint16_t source_port = 0;
  wire::Gid source;  ///< IPv4 as ::ffff:a.b.c.d
  wire::Gid destination;

  /// Nothing when the bytes are too few or the versions are not ones defined.
  static std::optional<IpHeader> parse(std::span<const std::byte> private_data);
  /// bytes.size() >= kSize; writes every byte.
  void emit(std::span<std::byte> bytes) const;
  friend bool operator==(const IpHeader&, const IpHeader&) = default;
};

/// What a listener answers: services, and of those with an IpHeader the ones for an address.
struct Service {
  std::uint64_t id = 0;
  std::uint64_t mask = kExactService;  ///< bits of the id that count
  /// The destination address of the request's IpHeader; nothing: any of `family`.
  std::optional<wire::Gid> address;
  enum class Family : std::uint8_t { kAny, kIpv4, kIpv6 } family = Family::kAny;

  friend bool operator==(const Service&, const Service&) = default;
};

/// How well a listener's service fits a request (private_data as it came): 0 not at all; an address named is better
/// than any address, one family better than both.
unsigned fit(const Service& service, std::uint64_t id, std::span<const std::byte> private_data);

}  // namespace rocelab::cm
