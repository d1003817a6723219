// IPv4 header (RFC 791) without options, which RoCE v2 does not use (IBTA annex A17.4.5.1):
//
//   | version:4 IHL:4 | DSCP:6 ECN:2 |   total length   |
//   |     identification             | 0 DF MF offset:13|
//   |      TTL        |   protocol   |  header checksum |
//   |                source address                      |
//   |              destination address                   |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/bytes.h"

namespace rocelab::wire {

inline constexpr std::uint8_t kIpProtocolUdp = 17;

struct Ipv4Header {
  static constexpr std::size_t kSize = 20;
  static constexpr std::uint16_t kDontFragment = 0x4000;

  std::uint8_t traffic_class = 0;  ///< DSCP << 2 | ECN
  std::uint16_t total_length = 0;
  std::uint16_t identification = 0;
  std::uint16_t flags_and_offset = kDontFragment;
  std::uint8_t ttl = 64;
  std::uint8_t protocol = kIpProtocolUdp;
  std::uint32_t source = 0;  ///< host order
  std::uint32_t destination = 0;

  /// The one's complement sum of RFC 1071 over the 20 bytes; 0xffff in a header whose checksum is right.
  static std::uint16_t sum(const std::byte* p) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < kSize; i += 4) total += load_be<std::uint32_t>(p + i);
    return fold(total);
  }

  /// bytes.size() >= kSize. Does not look at version, IHL and checksum: see valid().
  static Ipv4Header parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    return {load_u8(p + 1),
            load_be<std::uint16_t>(p + 2),
            load_be<std::uint16_t>(p + 4),
            load_be<std::uint16_t>(p + 6),
            load_u8(p + 8),
            load_u8(p + 9),
            load_be<std::uint32_t>(p + 12),
            load_be<std::uint32_t>(p + 16)};
  }
  /// Version 4, no options, checksum right. bytes.size() >= kSize.
  static bool valid(std::span<const std::byte> bytes) {
    return load_u8(bytes.data()) == 0x45 && sum(bytes.data()) == 0xffff;
  }
  /// bytes.size() >= kSize; computes the checksum, from the values: reading the bytes back would wait for their stores.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    const std::uint32_t words[] = {0x4500'0000u | static_cast<std::uint32_t>(traffic_class) << 16 | total_length,
                                   static_cast<std::uint32_t>(identification) << 16 | flags_and_offset,
                                   static_cast<std::uint32_t>(ttl) << 24 | static_cast<std::uint32_t>(protocol) << 16,
                                   source, destination};
    std::uint64_t total = 0;
    for (const std::uint32_t word : words) total += word;
    const auto checksum = static_cast<std::uint16_t>(~fold(total));
    store_be<std::uint32_t>(p, words[0]);
    store_be<std::uint32_t>(p + 4, words[1]);
    store_be<std::uint32_t>(p + 8, words[2] | checksum);
    store_be<std::uint32_t>(p + 12, source);
    store_be<std::uint32_t>(p + 16, destination);
  }
  friend bool operator==(const Ipv4Header&, const Ipv4Header&) = default;

 private:
  static std::uint16_t fold(std::uint64_t total) {
    total = (total & 0xffff'ffff) + (total >> 32);
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(total);
  }
};

}  // namespace rocelab::wire
