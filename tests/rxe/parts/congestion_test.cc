// DCQCN's reaction point and the CNP generator: Zhu et al., SIGCOMM 2015, section 3.
#include "rxe/congestion/congestion.h"

#include "rxe/congestion/cnp_generator.h"
#include "rxe/congestion/dcqcn.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint64_t kLine = 40'000'000'000;
TimePoint at_us(std::int64_t us) { return TimePoint::from_ns(1'000'000) + Duration::us(us); }

/// Runs all timers until `until`.
void run(Dcqcn& dcqcn, TimePoint until) {
  while (const auto next = dcqcn.next_timer()) {
    if (*next > until) break;
    dcqcn.on_timer(*next);
  }
}

}  // namespace

TEST_CASE("cnp generator: at most one CNP in 50 us, however many packets are marked", "[rxe][dcqcn]") {
  CnpGenerator generator;
  CHECK(generator.on_marked(at_us(0)));
  CHECK_FALSE(generator.on_marked(at_us(1)));
  CHECK_FALSE(generator.on_marked(at_us(49)));
  CHECK(generator.on_marked(at_us(50)));
  CHECK_FALSE(generator.on_marked(at_us(99)));
  CHECK(generator.on_marked(at_us(500)));
}

TEST_CASE("congestion control: none is no object at all", "[rxe][dcqcn]") {
  CHECK(make_congestion_controller(CongestionControl::kNone, kLine) == nullptr);
  const auto dcqcn = make_congestion_controller(CongestionControl::kDcqcn, kLine);
  REQUIRE(dcqcn != nullptr);
  CHECK(dcqcn->rate_bits_per_s() == kLine);
}

TEST_CASE("dcqcn: at line rate nothing is paced and no timer runs", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  for (int i = 0; i < 100; ++i) {
    dcqcn.on_send(at_us(0), 1500);
    CHECK(dcqcn.next_send_time(at_us(0)) == at_us(0));
  }
  CHECK_FALSE(dcqcn.next_timer().has_value());
  dcqcn.on_timer(at_us(1000));
  CHECK(dcqcn.rate_bits_per_s() == kLine);
}

TEST_CASE("dcqcn: the first CNP halves the rate", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  CHECK(dcqcn.rate_bits_per_s() == kLine / 2);
  CHECK(dcqcn.target_bits_per_s() == kLine);
  CHECK(dcqcn.next_timer().has_value());
}

TEST_CASE("dcqcn: further CNPs go on cutting, but never below the floor", "[rxe][dcqcn]") {
  const DcqcnParameters parameters = DcqcnParameters::sigcomm15();
  Dcqcn dcqcn(kLine, parameters);
  std::uint64_t before = kLine;
  for (int i = 0; i < 200; ++i) {
    dcqcn.on_cnp(at_us(i));
    CHECK(dcqcn.rate_bits_per_s() <= before);
    before = dcqcn.rate_bits_per_s();
  }
  CHECK(before == parameters.rate_min_bits_per_s);
}

TEST_CASE("dcqcn: alpha decays while no CNP comes", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  const std::uint64_t alpha = dcqcn.alpha();
  run(dcqcn, at_us(200));
  CHECK(dcqcn.alpha() < alpha);
  CHECK(dcqcn.alpha() > 0);
}

TEST_CASE("dcqcn: fast recovery halves the distance to the target each period", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  std::uint64_t gap = kLine - dcqcn.rate_bits_per_s();
  for (int period = 1; period <= 4; ++period) {
    run(dcqcn, at_us(55 * period));
    const std::uint64_t now_gap = kLine - dcqcn.rate_bits_per_s();
    CHECK(now_gap <= gap / 2 + 1);
    CHECK(now_gap + 1 >= gap / 2);
    gap = now_gap;
  }
}

TEST_CASE("dcqcn: in the end it is back at line rate and rests", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  for (int i = 0; i < 20; ++i) dcqcn.on_cnp(at_us(i * 50));
  int expiries = 0;
  while (const auto next = dcqcn.next_timer()) {
    dcqcn.on_timer(*next);
    REQUIRE(++expiries < 1'000'000);
    REQUIRE(dcqcn.rate_bits_per_s() <= kLine);
  }
  CHECK(dcqcn.rate_bits_per_s() == kLine);
  CHECK_FALSE(dcqcn.limited());
}

TEST_CASE("dcqcn: the byte counter raises the rate too, without any timer", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  const std::uint64_t cut = dcqcn.rate_bits_per_s();
  for (int i = 0; i < 10'001; ++i) dcqcn.on_send(at_us(1), 1000);
  CHECK(dcqcn.rate_bits_per_s() > cut);
}

TEST_CASE("dcqcn: packets leave at the limited rate and unused time is not saved up", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  dcqcn.on_send(at_us(0), 2500);
  CHECK(dcqcn.next_send_time(at_us(0)) == at_us(1));  // 20,000 bits at 20 Gb/s
  dcqcn.on_send(at_us(1), 2500);
  CHECK(dcqcn.next_send_time(at_us(1)) == at_us(2));
  CHECK(dcqcn.next_send_time(at_us(40)) == at_us(40));
  dcqcn.on_send(at_us(40), 2500);
  CHECK(dcqcn.next_send_time(at_us(40)) == at_us(41));
}

TEST_CASE("dcqcn: spurious timer calls change nothing", "[rxe][dcqcn]") {
  Dcqcn dcqcn(kLine, DcqcnParameters::sigcomm15());
  dcqcn.on_cnp(at_us(0));
  const std::uint64_t rate = dcqcn.rate_bits_per_s(), alpha = dcqcn.alpha();
  for (int i = 0; i < 100; ++i) dcqcn.on_timer(at_us(10));
  CHECK(dcqcn.rate_bits_per_s() == rate);
  CHECK(dcqcn.alpha() == alpha);
}

TEST_CASE("dcqcn: nonsense parameters neither hang nor divide by zero", "[rxe][dcqcn]") {
  DcqcnParameters parameters;
  parameters.alpha_interval = parameters.increase_interval = Duration();
  parameters.rate_min_bits_per_s = 0;
  parameters.increase_bytes = 1;
  Dcqcn dcqcn(0, parameters);
  for (int i = 0; i < 50; ++i) {
    dcqcn.on_cnp(at_us(i));
    dcqcn.on_send(at_us(i), 0xffff'ffff);
    dcqcn.on_timer(at_us(i));
  }
  CHECK(dcqcn.rate_bits_per_s() >= 1);
}

TEST_CASE("dcqcn: with a least interval between cuts CNPs in quick succession cut once", "[rxe][dcqcn]") {
  DcqcnParameters parameters;
  parameters.decrease_interval_min = Duration::us(4);
  Dcqcn dcqcn(kLine, parameters);
  dcqcn.on_cnp(at_us(0));
  const std::uint64_t rate = dcqcn.rate_bits_per_s();
  dcqcn.on_cnp(at_us(1));
  CHECK(dcqcn.rate_bits_per_s() == rate);
  dcqcn.on_cnp(at_us(5));
  CHECK(dcqcn.rate_bits_per_s() < rate);
}

}  // namespace rocelab::rxe
