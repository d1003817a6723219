// Rates, spans and bytes in integers, for the congestion control strategies. Arguments are bounded so that products fit
// 64 bits.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace rocelab::rxe {

/// 10 Tb/s: the fastest line that is believed.
inline constexpr std::uint64_t kLineMax = 10'000'000'000'000;
/// Picoseconds that a byte takes at 1 bit/s.
inline constexpr std::uint64_t kBitsPsPerByte = 8'000'000'000'000;
/// Spans longer than this are counted as this long: 1 s.
inline constexpr std::uint64_t kSpanMaxPs = 1'000'000'000'000;

/// Bytes that pass in `span` at a rate, at least 1. A rate counts in steps of 1 Mb/s.
inline std::uint64_t bytes_in(std::uint64_t bits_per_s, base::Duration span) {
  const std::uint64_t mbps = std::min(bits_per_s, kLineMax) / 1'000'000;
  const std::uint64_t ps =
      std::clamp<std::uint64_t>(span.count_ps() < 0 ? 0 : static_cast<std::uint64_t>(span.count_ps()), 1, kSpanMaxPs);
  return std::max<std::uint64_t>(mbps * ps / 8'000'000, 1);
}

}  // namespace rocelab::rxe
