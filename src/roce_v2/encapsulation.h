// RoCE v2 (IBTA annex A17): IPv4 or IPv6 and UDP port 4791 around the transport headers. "Transport" here is everything
// from the BTH to the end of the ICRC. Called by net/frame_codec; no state, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "wire/frame_error.h"
#include "wire/packet.h"

namespace rocelab::roce_v2 {

inline constexpr std::size_t kIpv4HeaderBytes = 28;  ///< IPv4 + UDP
inline constexpr std::size_t kIpv6HeaderBytes = 48;  ///< IPv6 + UDP

/// Writes IP and UDP headers to `out` (kIpv4HeaderBytes or kIpv6HeaderBytes long) for that many transport bytes.
void emit_headers(const wire::Path& path, std::size_t transport_bytes, std::byte* out);

/// Checks the headers at the start of `bytes` (which begin at the IP header and may end in Ethernet padding), fills the
/// network part of `path`, and returns the transport's bytes.
tl::expected<std::span<const std::byte>, wire::FrameError> parse_ipv4(std::span<const std::byte> bytes,
                                                                      wire::Path& path);
tl::expected<std::span<const std::byte>, wire::FrameError> parse_ipv6(std::span<const std::byte> bytes,
                                                                      wire::Path& path);

/// The ICRC of a packet that starts at its IP header and is `bytes_before_icrc` long (whole words) without the ICRC.
/// TOS/traffic class, flow label, TTL/hop limit, both checksums and the byte of BTH with FECN and BECN count as ones
/// (A17.3.2).
std::uint32_t icrc_ipv4(const std::byte* ip, std::size_t bytes_before_icrc);
std::uint32_t icrc_ipv6(const std::byte* ip, std::size_t bytes_before_icrc);

}  // namespace rocelab::roce_v2
