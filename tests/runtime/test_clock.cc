// Real time for the engine (runtime/clock.h): never backwards, and close to the kernel's clock.
#include <time.h>

#include <cstdint>
#include <cstdlib>

#include "runtime/clock.h"
#include "tests/support/catch.h"

using rocelab::base::Duration;
using rocelab::base::TimePoint;
using rocelab::runtime::Clock;

namespace {

TimePoint kernel_now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return TimePoint::from_ns(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                            static_cast<std::uint64_t>(time.tv_nsec));
}

}  // namespace

TEST_CASE("clock: it never goes back, through its calibration and two resynchronisations", "[runtime][clock]") {
  Clock clock;
  const TimePoint end = kernel_now() + Duration::ms(2'200);
  TimePoint last = clock.now();
  bool backwards = false;
  for (std::uint64_t i = 0; (i & 0xfff) != 0 || kernel_now() < end; ++i) {
    const TimePoint now = clock.now();
    backwards = backwards || now < last;
    last = now;
  }
  CHECK_FALSE(backwards);
}

TEST_CASE("clock: it follows the kernel's clock within a thousandth", "[runtime][clock]") {
  Clock clock;
  const TimePoint start = kernel_now();
  Duration worst;
  while (kernel_now() - start < Duration::ms(300)) {
    // Between two readings of the kernel's clock, so that being preempted does not count.
    const TimePoint before = kernel_now(), now = clock.now(), after = kernel_now();
    const Duration early = before - now, late = now - after;
    worst = early > worst ? early : worst;
    worst = late > worst ? late : worst;
  }
  CHECK(worst < Duration::us(1'000));
}
