// Quantities as people write them in scenarios and on command lines: "100Gb/s", "1.5us", "32MB", "0.25". They are
// exact: a decimal number times a unit, computed with integers, and an error when the result is no whole number of the
// base unit. Called by the scenario reader and the flow file readers.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace rocelab::sim {

/// "1.5us" -> picoseconds. Units: ps ns us ms s.
base::TextResult<std::uint64_t> parse_time_ps(std::string_view text);
/// "32MB" -> bytes. Units: B kB MB GB (powers of 1000), KiB MiB GiB (powers of 1024); none means bytes.
base::TextResult<std::uint64_t> parse_bytes(std::string_view text);
/// "100Gb/s" (also "100Gbps") -> bits per second. Units: b/s kb/s Mb/s Gb/s Tb/s.
base::TextResult<std::uint64_t> parse_rate_bits_per_s(std::string_view text);
/// A plain decimal number in units of 10^-decimals: ("2.5", 9) -> 2'500'000'000. At most 18 decimals.
base::TextResult<std::uint64_t> parse_decimal(std::string_view text, unsigned decimals);

}  // namespace rocelab::sim
