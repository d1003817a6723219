// See clock.h. The rate is measured between two readings of the kernel's clock at least 10 ms apart and again every
// second, so an error of the first estimate lasts for one second at most; it cannot move time backwards.
#include "runtime/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace rocelab::runtime {

namespace {

constexpr std::uint64_t kCalibrationNs = 10'000'000;
constexpr std::uint64_t kResyncNs = 1'000'000'000;
constexpr std::uint64_t kCloseTicks = 20'000;  ///< a few microseconds; an interruption takes longer
constexpr int kSampleTriesMax = 4;

std::uint64_t monotonic_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

#if defined(__x86_64__)
/// A counter that runs at one rate in every power state and on every core (CPUID 8000_0007h, EDX bit 8).
bool invariant_counter() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x8000'0007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
}
std::uint64_t read_counter() { return __rdtsc(); }
#else
bool invariant_counter() { return false; }
std::uint64_t read_counter() { return 0; }
#endif

}  // namespace

Clock::Clock() : has_counter_(invariant_counter()) { resynchronise(); }

Clock::Sample Clock::sample() {
  // A thread may lose its processor between the two readings: an error of milliseconds in what is taken for one
  // instant.
  Sample taken;
  for (int tries = 0; tries < kSampleTriesMax && !taken.close; ++tries) {
    const std::uint64_t before = read_counter();
    taken.ns = monotonic_ns();
    const std::uint64_t after = read_counter();
    taken.ticks = before + (after - before) / 2;
    taken.close = after - before < kCloseTicks;
  }
  return taken;
}

std::uint64_t Clock::resynchronise() {
  const Sample now = sample();
  if (!has_counter_ || !now.close) return now.ns * 1'000;
  const std::uint64_t passed_ns = now.ns - anchor_ns_, passed_ticks = now.ticks - anchor_ticks_;
  if (anchored_ && passed_ns < kCalibrationNs) return now.ns * 1'000;
  // A process that slept for hours would overflow the product below: such an interval only moves the anchor.
  const bool measurable =
      anchored_ && passed_ns < 10 * kResyncNs && passed_ticks > passed_ns / 100 && passed_ticks < passed_ns * 100;
  ps_per_tick_q20_ = measurable ? ((passed_ns * 1'000) << 20) / passed_ticks : 0;
  resync_ticks_ = measurable ? passed_ticks * (kResyncNs / 1'000) / (passed_ns / 1'000) : 0;
  anchor_ns_ = now.ns;
  anchor_ticks_ = now.ticks;
  anchored_ = true;
  return now.ns * 1'000;
}

base::TimePoint Clock::now() {
  const std::uint64_t ticks = read_counter();
  const std::uint64_t passed = ticks - anchor_ticks_;
  const std::uint64_t ps =
      passed < resync_ticks_
          ? anchor_ns_ * 1'000 +
                static_cast<std::uint64_t>(static_cast<unsigned __int128>(passed) * ps_per_tick_q20_ >> 20)
          : resynchronise();
  if (ps > last_ps_) last_ps_ = ps;
  return base::TimePoint::from_ps(last_ps_);
}

}  // namespace rocelab::runtime
