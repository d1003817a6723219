// How long bytes take at a rate, in whole picoseconds. Rates that divide 8 * 10^12 (every Ethernet rate that is a
// product of 2s and 5s: 10G, 25G, 40G, 100G, 400G, 800G ...) cost one multiplication; others are rounded up.
#pragma once

#include <cstdint>

namespace rocelab::sim {

class Rate {
 public:
  static constexpr std::uint64_t kPsPerSecond = 1'000'000'000'000;

  constexpr Rate() = default;
  /// `bits_per_second` is at least 1.
  static constexpr Rate from_bps(std::uint64_t bits_per_second) {
    Rate rate;
    rate.bps_ = bits_per_second;
    const bool exact = 8 * kPsPerSecond % bits_per_second == 0 && 8 * kPsPerSecond / bits_per_second <= 0xffffffff;
    rate.ps_per_byte_ = exact ? static_cast<std::uint32_t>(8 * kPsPerSecond / bits_per_second) : 0;
    return rate;
  }

  constexpr std::uint64_t bps() const { return bps_; }
  /// 0 when it is not a whole number.
  constexpr std::uint32_t ps_per_byte() const { return ps_per_byte_; }
  constexpr std::uint64_t time_ps(std::uint64_t bytes) const {
    if (ps_per_byte_ != 0) [[likely]]
      return bytes * ps_per_byte_;
    const auto bits = static_cast<unsigned __int128>(bytes) * 8 * kPsPerSecond;
    return static_cast<std::uint64_t>((bits + bps_ - 1) / bps_);
  }
  /// Whole bytes that pass in a time, rounded down.
  constexpr std::uint64_t bytes_in(std::uint64_t time_ps) const {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(time_ps) * bps_ / (8 * kPsPerSecond));
  }

 private:
  std::uint64_t bps_ = 8 * kPsPerSecond;
  std::uint32_t ps_per_byte_ = 1;
};

}  // namespace rocelab::sim
