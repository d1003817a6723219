// Between packets and Ethernet frames: the only place where a packet's bytes exist. encode_frame writes headers,
// payload and ICRC straight into a port's frame; decode_frame checks every length, the opcode, the padding and the ICRC
// before anybody looks at the packet. RoCE v1 and v2 (IPv4, IPv6), with or without a VLAN tag. No state: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "wire/frame_error.h"
#include "wire/packet.h"

namespace rocelab::net {

/// The most that comes before the payload: Ethernet 14, VLAN 4, IPv6 40, UDP 8, BTH 12, XRCETH 4, DETH 8, RETH 16 or
/// AtomicETH 28, AETH 4, ImmDt or IETH 4 (no opcode has all of them), rounded up.
inline constexpr std::size_t kFrameHeadroomMax = 160;
inline constexpr std::size_t kIcrcBytes = 4;
/// A CNP has these zero bytes behind its BTH (IBTA annex A17.9.3).
inline constexpr std::size_t kCnpReservedBytes = 16;
/// A frame with the largest path MTU's payload, its padding and ICRC.
inline constexpr std::size_t kFrameBytesMax = kFrameHeadroomMax + 4096 + kIcrcBytes;

/// Bytes of the whole frame, ICRC included, Ethernet's FCS not.
std::size_t encoded_size(const wire::Packet& packet);

/// Writes the frame and returns its length; `out` must have room for encoded_size(packet). bth.pad_count is computed,
/// not read. The payload's pieces must have bytes (nothing elided) and must not overlap `out`.
std::size_t encode_frame(const wire::Packet& packet, std::span<std::byte> out);

/// Fills `packet` from a frame that may end in Ethernet padding. Its payload points into `frame`. On an error `packet`
/// holds what had been read up to there and must not be used. The bytes are hostile until this has succeeded. The ICRC
/// is checked last: with kBadIcrc every field has been read, which is good enough to print the packet.
tl::expected<void, wire::FrameError> decode_frame(std::span<const std::byte> frame, wire::Packet& packet);

/// The same for a frame whose ICRC the port has found right (Port::rx_checked).
tl::expected<void, wire::FrameError> decode_checked_frame(std::span<const std::byte> frame, wire::Packet& packet);

}  // namespace rocelab::net
