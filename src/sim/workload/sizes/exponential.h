// Exponentially distributed spans with integers alone: -ln(u) by repeated squaring, 32 fractional bits.
#pragma once

#include <bit>
#include <cstdint>

#include "base/rng.h"

namespace rocelab::sim {

/// -ln(u / 2^64) in units of 2^-32, u > 0; exact to about 2^-31.
constexpr std::uint64_t negative_log(std::uint64_t u) {
  __extension__ using Wide = unsigned __int128;
  constexpr std::uint64_t kLn2 = 2'977'044'472;  // ln 2 * 2^32
  const auto zeros = static_cast<unsigned>(std::countl_zero(u));
  // u = m * 2^(63 - zeros) with 1 <= m < 2: log2(m) bit by bit, each squaring doubles the logarithm.
  std::uint64_t m = u << zeros;
  std::uint64_t fraction = 0;
  for (unsigned i = 0; i < 32; ++i) {
    const Wide square = Wide{m} * m;
    fraction <<= 1;
    if (square >> 127 != 0) {
      fraction |= 1;
      m = static_cast<std::uint64_t>(square >> 64);
    } else {
      m = static_cast<std::uint64_t>(square >> 63);
    }
  }
  const std::uint64_t log2 = ((std::uint64_t{zeros} + 1) << 32) - fraction;
  return static_cast<std::uint64_t>(Wide{log2} * kLn2 >> 32);
}

/// A span whose mean is `mean`.
inline std::uint64_t draw_exponential(base::Rng& rng, std::uint64_t mean) {
  __extension__ using Wide = unsigned __int128;
  std::uint64_t u = rng.next();
  while (u == 0) u = rng.next();
  return static_cast<std::uint64_t>(Wide{mean} * negative_log(u) >> 32);
}

}  // namespace rocelab::sim
