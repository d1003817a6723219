// Numbers of the capture file formats, shared by reader and writer: pcap (draft-ietf-opsawg-pcap) and pcapng
// (draft-ietf-opsawg-pcapng). A pcapng block is: type, total length, body, total length again; all of them 32-bit
// words.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocelab::net::capture {

inline constexpr std::uint32_t kPcapMicroseconds = 0xa1b2c3d4;  ///< first word of a pcap file
inline constexpr std::uint32_t kPcapNanoseconds = 0xa1b23c4d;
inline constexpr std::size_t kPcapHeaderBytes = 24;
inline constexpr std::size_t kPcapRecordBytes = 16;  ///< in front of each frame

inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;  ///< the same in either byte order
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kObsoletePacket = 2;
inline constexpr std::uint32_t kSimplePacket = 3;
inline constexpr std::uint32_t kEnhancedPacket = 6;
inline constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
inline constexpr std::size_t kBlockFrameBytes = 12;  ///< type and both lengths

inline constexpr std::uint16_t kOptionEnd = 0;
inline constexpr std::uint16_t kOptionApplication = 4;  ///< section header
inline constexpr std::uint16_t kOptionInterfaceName = 2;
inline constexpr std::uint16_t kOptionTimeResolution = 9;
inline constexpr std::uint16_t kOptionTimeOffset = 14;
inline constexpr std::uint16_t kOptionPacketFlags = 2;

inline constexpr std::uint16_t kLinkEthernet = 1;

/// Everything in a block is filled up to whole words.
constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

}  // namespace rocelab::net::capture
