// Real time for the engine: CLOCK_MONOTONIC as a TimePoint, read from the processor's time-stamp counter once that is
// calibrated (8 ns instead of 25). The only clock in the project besides the benchmarks'.
// Not thread-safe: the Driver reads it under the engine lock. Never goes back.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace rocelab::runtime {

class Clock {
 public:
  Clock();
  base::TimePoint now();

 private:
  /// Both clocks at one instant.
  struct Sample {
    std::uint64_t ticks = 0;
    std::uint64_t ns = 0;
    bool close = false;  ///< read without an interruption in between
  };
  static Sample sample();
  /// Reads the kernel's clock and, when enough time has passed since the last anchor, the counter's rate.
  std::uint64_t resynchronise();

  bool has_counter_ = false;
  bool anchored_ = false;
  std::uint64_t anchor_ticks_ = 0;
  std::uint64_t anchor_ns_ = 0;
  std::uint64_t resync_ticks_ = 0;     ///< ticks after the anchor when the kernel is asked again; 0: always
  std::uint64_t ps_per_tick_q20_ = 0;  ///< picoseconds per tick, 20 fractional bits
  std::uint64_t last_ps_ = 0;
};

}  // namespace rocelab::runtime
