// DCQCN by clocks, against sequences worked out by hand: alpha in units of 2^-20, g = 2^-8.
#include "rxe/congestion/clocked_dcqcn.h"

#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint64_t kLine = 100'000'000'000;

TimePoint at_ns(std::int64_t ns) { return TimePoint() + Duration::ns(ns); }

DcqcnParameters parameters() {
  DcqcnParameters p = DcqcnParameters::hpcc_simulator();
  p.increase_interval = Duration::us(300);
  p.additive_increase_bits_per_s = 20'000'000;
  p.hyper_increase_bits_per_s = 200'000'000;
  p.rate_min_bits_per_s = 1'000'000'000;
  return p;
}

std::uint64_t cut_of(std::uint64_t rate, std::uint64_t alpha) {
  return rate - rate * (alpha / 2) / ClockedDcqcn::kAlphaOne;
}

}  // namespace

TEST_CASE("clocked dcqcn: the first cut comes one interval after the first mark", "[rxe][dcqcn]") {
  ClockedDcqcn dcqcn(kLine, parameters());
  CHECK_FALSE(dcqcn.next_timer());
  dcqcn.on_cnp(at_ns(0));
  CHECK(dcqcn.rate_bits_per_s() == kLine);
  CHECK(dcqcn.next_timer() == at_ns(4000));
  dcqcn.on_timer(at_ns(3999));
  CHECK(dcqcn.rate_bits_per_s() == kLine);
  dcqcn.on_timer(at_ns(4000));
  CHECK(dcqcn.alpha() == 1'032'288);  // four ticks without a further mark
  CHECK(dcqcn.rate_bits_per_s() == cut_of(kLine, 1'032'288));
  CHECK(dcqcn.target_bits_per_s() == kLine);
  CHECK(dcqcn.next_timer() == at_ns(304'000));
}

TEST_CASE("clocked dcqcn: marks within a tick count once, for alpha and for the cut", "[rxe][dcqcn]") {
  ClockedDcqcn one(kLine, parameters()), many(kLine, parameters());
  for (ClockedDcqcn* dcqcn : {&one, &many}) dcqcn->on_cnp(at_ns(0));
  one.on_cnp(at_ns(1500));
  for (int i = 0; i < 9; ++i) many.on_cnp(at_ns(1100 + 100 * i));
  for (ClockedDcqcn* dcqcn : {&one, &many}) {
    dcqcn->on_timer(at_ns(4000));
    // 1048576 - 4096; then - 4080 + 4096 for the marked tick; then twice a decay.
    CHECK(dcqcn->alpha() == 1'036'352);
    CHECK(dcqcn->rate_bits_per_s() == cut_of(kLine, 1'036'352));
  }
}

TEST_CASE("clocked dcqcn: cuts keep to their clock however late the mark is", "[rxe][dcqcn]") {
  ClockedDcqcn dcqcn(kLine, parameters());
  dcqcn.on_cnp(at_ns(0));
  dcqcn.on_cnp(at_ns(9500));
  CHECK(dcqcn.next_timer() == at_ns(12'000));
  dcqcn.on_timer(at_ns(12'000));
  CHECK(dcqcn.next_timer() == at_ns(312'000));
  dcqcn.on_cnp(at_ns(16'000));  // on the tick itself: the next one
  CHECK(dcqcn.next_timer() == at_ns(20'000));
}

TEST_CASE("clocked dcqcn: recovery, then additive, then hyper increase, by the timer alone", "[rxe][dcqcn]") {
  ClockedDcqcn dcqcn(kLine, parameters());
  dcqcn.on_cnp(at_ns(0));
  dcqcn.on_timer(at_ns(4000));
  dcqcn.on_cnp(at_ns(4500));
  dcqcn.on_timer(at_ns(8000));  // nothing was raised in between: the target stays
  CHECK(dcqcn.target_bits_per_s() == kLine);
  std::uint64_t rate = dcqcn.rate_bits_per_s();
  dcqcn.on_timer(at_ns(308'000));
  rate = (rate + kLine + 1) / 2;
  CHECK(dcqcn.rate_bits_per_s() == rate);
  dcqcn.on_cnp(at_ns(308'500));
  dcqcn.on_timer(at_ns(312'000));  // after an increase the target follows
  CHECK(dcqcn.target_bits_per_s() == rate);
  const std::uint64_t target = rate;
  rate = dcqcn.rate_bits_per_s();
  const std::uint64_t raised[] = {target, target + 20'000'000, target + 220'000'000, target + 420'000'000};
  for (int i = 0; i < 4; ++i) {
    dcqcn.on_timer(at_ns(612'000 + 300'000 * i));
    rate = (rate + raised[i] + 1) / 2;
    CHECK(dcqcn.target_bits_per_s() == raised[i]);
    CHECK(dcqcn.rate_bits_per_s() == rate);
  }
}

TEST_CASE("clocked dcqcn: at line rate no timer runs, and alpha is not forgotten", "[rxe][dcqcn]") {
  ClockedDcqcn dcqcn(kLine, parameters());
  dcqcn.on_cnp(at_ns(0));
  std::int64_t now = 4000;
  for (int i = 0; i < 100 && dcqcn.next_timer(); ++i, now += 300'000) dcqcn.on_timer(at_ns(now));
  CHECK(dcqcn.rate_bits_per_s() == kLine);
  CHECK_FALSE(dcqcn.next_timer());
  CHECK(dcqcn.next_send_time(at_ns(now)) == at_ns(now));
  dcqcn.on_cnp(at_ns(now));
  REQUIRE(dcqcn.next_timer());
  dcqcn.on_timer(*dcqcn.next_timer());
  CHECK(dcqcn.alpha() < 5000);  // thousands of ticks without a mark
  CHECK(dcqcn.rate_bits_per_s() > kLine / 1000 * 997);
  CHECK(dcqcn.rate_bits_per_s() < kLine);
}

TEST_CASE("clocked dcqcn: marks without end end at the least rate, and packets are spaced by it", "[rxe][dcqcn]") {
  ClockedDcqcn dcqcn(kLine, parameters());
  for (std::int64_t ns = 0; ns < 1'000'000; ns += 500) {
    dcqcn.on_timer(at_ns(ns));
    dcqcn.on_cnp(at_ns(ns));
  }
  CHECK(dcqcn.rate_bits_per_s() == 1'000'000'000);
  dcqcn.on_send(at_ns(1'000'000), 1000);
  CHECK(dcqcn.next_send_time(at_ns(1'000'000)) >= at_ns(1'007'990));
}

}  // namespace rocelab::rxe
