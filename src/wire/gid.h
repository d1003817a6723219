// Global identifiers (IBTA vol 1, 4.1): 128 bits. RoCE v2 over IPv4 writes an address as the IPv4-mapped IPv6 address
// ::ffff:a.b.c.d (annex A17).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rocelab::wire {

struct Gid {
  std::array<std::uint8_t, 16> bytes{};

  static constexpr Gid from_ipv4(std::uint32_t address) {  ///< host order
    Gid gid;
    gid.bytes[10] = gid.bytes[11] = 0xff;
    for (unsigned i = 0; i < 4; ++i) gid.bytes[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    return gid;
  }

  constexpr bool is_ipv4_mapped() const {
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes[i] != 0) return false;
    }
    return bytes[10] == 0xff && bytes[11] == 0xff;
  }
  /// The last four bytes in host order; meaningful when is_ipv4_mapped().
  constexpr std::uint32_t ipv4() const {
    return static_cast<std::uint32_t>(bytes[12]) << 24 | static_cast<std::uint32_t>(bytes[13]) << 16 |
           static_cast<std::uint32_t>(bytes[14]) << 8 | bytes[15];
  }
  /// ff00::/8, or an IPv4-mapped address of 224.0.0.0/4.
  constexpr bool is_multicast() const { return bytes[0] == 0xff || (is_ipv4_mapped() && (bytes[12] & 0xf0) == 0xe0); }
  constexpr bool is_zero() const {
    for (const std::uint8_t byte : bytes) {
      if (byte != 0) return false;
    }
    return true;
  }

  friend constexpr auto operator<=>(const Gid&, const Gid&) = default;
};

std::string to_string(const Gid& gid);                ///< "10.77.0.1" when IPv4-mapped, else IPv6 notation
std::optional<Gid> parse_gid(std::string_view text);  ///< IPv4 or IPv6 notation

}  // namespace rocelab::wire
