// Packet sequence numbers: 24 bits, compared around the circle (IBTA vol 1, 9.7.2). A type of its own, so that nobody
// compares them as plain integers.
#pragma once

#include <cstdint>

namespace rocelab::wire {

class Psn {
 public:
  static constexpr std::uint32_t kMask = 0xff'ffff;

  constexpr Psn() = default;
  explicit constexpr Psn(std::uint32_t value) : value_(value & kMask) {}
  constexpr std::uint32_t value() const { return value_; }

  friend constexpr Psn operator+(Psn psn, std::uint32_t n) { return Psn(psn.value_ + n); }
  friend constexpr Psn operator-(Psn psn, std::uint32_t n) { return Psn(psn.value_ - n); }
  constexpr Psn& operator++() { return *this = *this + 1; }
  friend constexpr bool operator==(Psn a, Psn b) = default;

 private:
  std::uint32_t value_ = 0;
};

/// a - b around the circle: in [-2^23, 2^23).
constexpr std::int32_t distance(Psn a, Psn b) { return static_cast<std::int32_t>((a.value() - b.value()) << 8) >> 8; }

constexpr bool operator<(Psn a, Psn b) { return distance(a, b) < 0; }
constexpr bool operator>(Psn a, Psn b) { return distance(a, b) > 0; }
constexpr bool operator<=(Psn a, Psn b) { return distance(a, b) <= 0; }
constexpr bool operator>=(Psn a, Psn b) { return distance(a, b) >= 0; }

}  // namespace rocelab::wire
