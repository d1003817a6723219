// FLUSH extended transport header (IBTA vol 1 release 1.5, annex A19):
//
//   |             reserved (26 bits)         | selectivity (2) | placement (4) |
//
// Placement types are bits: 1 global visibility, 2 persistence. Selectivity: 0 the range of the RETH, 1 the whole
// region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct Feth {
  static constexpr std::size_t kSize = 4;
  static constexpr std::uint8_t kGlobal = 1, kPersistent = 2;  ///< bits of `placement`
  static constexpr std::uint8_t kRange = 0, kRegion = 1;       ///< values of `selectivity`

  std::uint8_t placement = 0;    ///< 4 bits
  std::uint8_t selectivity = 0;  ///< 2 bits

  /// bytes.size() >= kSize.
  static Feth parse(std::span<const std::byte> bytes) {
    const auto low = std::to_integer<unsigned>(bytes[3]);
    Feth header;
    header.placement = static_cast<std::uint8_t>(low & 0xf);
    header.selectivity = static_cast<std::uint8_t>(low >> 4 & 3);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    store_be<std::uint32_t>(bytes.data(), (selectivity & 3u) << 4 | (placement & 0xfu));
  }

  friend bool operator==(const Feth&, const Feth&) = default;
};

std::string to_string(const Feth& header);

}  // namespace rocelab::wire
