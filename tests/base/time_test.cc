// base::Duration and base::TimePoint: units, signed differences, comparison around the wrap.
#include "base/time.h"

#include "tests/support/catch.h"

namespace rocelab::base {

TEST_CASE("time: units convert exactly", "[base][time]") {
  CHECK(Duration::ns(1).count_ps() == 1'000);
  CHECK(Duration::us(1) == Duration::ns(1'000));
  CHECK(Duration::ms(1) == Duration::us(1'000));
  CHECK(Duration::s(1) == Duration::ms(1'000));
  CHECK(Duration::s(3).count_ms() == 3'000);
  CHECK(Duration::ps(1'999).count_ns() == 1);
  CHECK(TimePoint::from_ns(5).count_ps() == 5'000);
}

TEST_CASE("time: durations add, subtract, scale and compare with sign", "[base][time]") {
  CHECK(Duration::us(2) + Duration::us(3) == Duration::us(5));
  CHECK(Duration::us(2) - Duration::us(3) == Duration::us(-1));
  CHECK(Duration::us(-1) < Duration());
  CHECK(Duration::ns(4) * 3 == Duration::ns(12));
  CHECK(Duration::ns(12) / 5 == Duration::ps(2'400));
}

TEST_CASE("time: the difference of two points is signed", "[base][time]") {
  const TimePoint early = TimePoint::from_ns(100), late = TimePoint::from_ns(250);
  CHECK(late - early == Duration::ns(150));
  CHECK(early - late == Duration::ns(-150));
  CHECK(early + Duration::ns(150) == late);
  CHECK(late + Duration::ns(-150) == early);
}

TEST_CASE("time: points compare by difference, also when the counter has wrapped", "[base][time]") {
  const TimePoint before = TimePoint::from_ps(~0ull - 10);
  const TimePoint after = before + Duration::ps(100);
  CHECK(after.count_ps() < before.count_ps());
  CHECK(before < after);
  CHECK(after > before);
  CHECK(before <= after);
  CHECK(after >= before);
  CHECK(before <= before);
  CHECK_FALSE(before < before);
  CHECK(after - before == Duration::ps(100));
}

}  // namespace rocelab::base
