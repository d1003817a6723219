// The 40 bytes in front of a datagram in its receive buffer (IBTA vol 1, 11.4.1.2): the GRH for RoCE v1, the IPv6
// header for v2 over IPv6, and for v2 over IPv4 the IP header in the last 20 bytes, behind 20 bytes of zero (annex
// A17.4.5.2). Rebuilt from the decoded path; applications read the addresses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/packet.h"

namespace rocelab::rxe {

inline constexpr std::size_t kGrhBytes = 40;

std::array<std::byte, kGrhBytes> grh_area(const wire::Packet& packet);

/// What a datagram's completion says as its service level: which of these headers there is (annex A17.4.5.1 asks for it
/// and leaves open where). As ConnectX does it, because programs that read the area look there: bit 3: there was a UDP
/// header; bits 2 to 0: 0 GRH, 1 IPv6, 2 IPv4.
std::uint8_t grh_area_kind(const wire::Path& path);

}  // namespace rocelab::rxe
