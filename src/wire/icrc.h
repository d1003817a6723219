// The CRC behind the ICRC (IBTA vol 1, 7.8.1): Ethernet's CRC-32, over the packet from its network header on, with
// whatever a router may change taken as ones, and with eight bytes of ones in front that stand for InfiniBand's local
// routing header. ISA-L computes it, seedable, so masked headers and the rest need no common buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocelab::wire {

/// The CRC-32 of eight 0xff bytes: where every ICRC starts.
inline constexpr std::uint32_t kIcrcStart = 0x2144df1c;

/// Continues a CRC over `length` more bytes. Starting from 0 this is zlib's crc32().
std::uint32_t crc32_continue(std::uint32_t crc, const std::byte* data, std::size_t length);

}  // namespace rocelab::wire
