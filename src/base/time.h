// Time as a strong type: 64-bit picoseconds. The engine and the simulator get `now` as an argument and never read a
// clock (DESIGN.md, "The one rule"); only src/runtime reads the monotonic clock. A TimePoint wraps after 213 days, so
// points are compared by their signed difference. Plain values, usable from any thread.
#pragma once

#include <compare>
#include <cstdint>

namespace rocelab::base {

/// A span of time in picoseconds; signed, so that differences of points are spans too.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration ps(std::int64_t n) { return Duration(n); }
  static constexpr Duration ns(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration us(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration ms(std::int64_t n) { return Duration(n * 1'000'000'000); }
  static constexpr Duration s(std::int64_t n) { return Duration(n * 1'000'000'000'000); }

  constexpr std::int64_t count_ps() const { return ps_; }
  constexpr std::int64_t count_ns() const { return ps_ / 1'000; }
  constexpr std::int64_t count_us() const { return ps_ / 1'000'000; }
  constexpr std::int64_t count_ms() const { return ps_ / 1'000'000'000; }

  constexpr auto operator<=>(const Duration&) const = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return Duration(a.ps_ + b.ps_); }
  friend constexpr Duration operator-(Duration a, Duration b) { return Duration(a.ps_ - b.ps_); }
  friend constexpr Duration operator*(Duration a, std::int64_t n) { return Duration(a.ps_ * n); }
  friend constexpr Duration operator/(Duration a, std::int64_t n) { return Duration(a.ps_ / n); }

 private:
  explicit constexpr Duration(std::int64_t n) : ps_(n) {}
  std::int64_t ps_ = 0;
};

/// An instant on some clock that the owner of the engine chose; only differences mean anything.
class TimePoint {
 public:
  constexpr TimePoint() = default;
  static constexpr TimePoint from_ps(std::uint64_t n) { return TimePoint(n); }
  static constexpr TimePoint from_ns(std::uint64_t n) { return TimePoint(n * 1'000); }
  constexpr std::uint64_t count_ps() const { return ps_; }

  friend constexpr Duration operator-(TimePoint a, TimePoint b) {
    return Duration::ps(static_cast<std::int64_t>(a.ps_ - b.ps_));
  }
  friend constexpr TimePoint operator+(TimePoint t, Duration d) {
    return TimePoint(t.ps_ + static_cast<std::uint64_t>(d.count_ps()));
  }
  friend constexpr bool operator==(TimePoint a, TimePoint b) { return a.ps_ == b.ps_; }
  friend constexpr bool operator<(TimePoint a, TimePoint b) { return (a - b) < Duration(); }
  friend constexpr bool operator>(TimePoint a, TimePoint b) { return b < a; }
  friend constexpr bool operator<=(TimePoint a, TimePoint b) { return !(b < a); }
  friend constexpr bool operator>=(TimePoint a, TimePoint b) { return !(a < b); }

 private:
  explicit constexpr TimePoint(std::uint64_t n) : ps_(n) {}
  std::uint64_t ps_ = 0;
};

}  // namespace rocelab::base
