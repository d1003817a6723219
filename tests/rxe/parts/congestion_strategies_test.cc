// HPCC, TIMELY, Swift and the fixed window against sequences computed by hand, and REPS's choice of ports.
#include <set>
#include <vector>

#include "rxe/congestion/congestion.h"
#include "rxe/congestion/hpcc.h"
#include "rxe/congestion/swift.h"
#include "rxe/congestion/timely.h"
#include "rxe/entropy.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint64_t kLine = 100'000'000'000;
TimePoint at_us(std::int64_t us) { return TimePoint::from_ns(1'000'000) + Duration::us(us); }

/// One hop of 100 Gb/s.
std::vector<wire::HopTelemetry> hop(std::int64_t us, std::uint64_t tx_bytes, std::uint32_t queue_bytes) {
  return {{at_us(us).count_ps(), tx_bytes, queue_bytes, 100'000}};
}

}  // namespace

TEST_CASE("hpcc: begins with what the line carries in a round trip, and paces at the line's rate", "[rxe][hpcc]") {
  Hpcc hpcc(kLine, Duration::us(13), {});
  CHECK(hpcc.window_bytes() == 162'500);
  CHECK(hpcc.rate_bits_per_s() == kLine);
  hpcc.on_send(at_us(0), {1000, 0, false});
  CHECK(hpcc.next_send_time(at_us(0)) - at_us(0) == Duration::ns(80));
}

TEST_CASE("hpcc: a full link is brought to its target utilisation in one round", "[rxe][hpcc]") {
  Hpcc hpcc(kLine, Duration::us(13), {});
  const auto first = hop(0, 0, 0), second = hop(13, 162'500, 0);
  hpcc.on_ack(at_us(13), {.bytes = 1000, .psn = 0, .next_psn = 10, .telemetry = first});
  CHECK(hpcc.window_bytes() == 162'500);  // nothing to compare with yet
  hpcc.on_ack(at_us(26), {.bytes = 1000, .psn = 10, .next_psn = 20, .telemetry = second});
  CHECK(hpcc.utilization() == Hpcc::kOne);
  CHECK(hpcc.window_bytes() == 154'374 + 81);  // 0.95 of it, and 50 Mb/s for 13 us
  CHECK(hpcc.reference_bytes() == 154'455);
  CHECK(hpcc.stage() == 0);
}

TEST_CASE("hpcc: within a round the reference stays, and only the window reacts", "[rxe][hpcc]") {
  Hpcc hpcc(kLine, Duration::us(13), {});
  const auto first = hop(0, 0, 0), second = hop(13, 162'500, 162'500), third = hop(26, 325'000, 162'500);
  hpcc.on_ack(at_us(13), {.bytes = 1000, .psn = 0, .next_psn = 10, .telemetry = first});
  hpcc.on_ack(at_us(26), {.bytes = 1000, .psn = 5, .next_psn = 20, .telemetry = second});  // queue: min(0, 162500)
  CHECK(hpcc.window_bytes() == 154'455);
  hpcc.on_ack(at_us(39), {.bytes = 1000, .psn = 6, .next_psn = 30, .telemetry = third});
  CHECK(hpcc.utilization() == 2 * Hpcc::kOne);
  CHECK(hpcc.window_bytes() == 77'187 + 81);
  CHECK(hpcc.reference_bytes() == 162'500);
}

TEST_CASE("hpcc: below the target the window grows additively, and multiplicatively after maxStage rounds",
          "[rxe][hpcc]") {
  Hpcc hpcc(kLine, Duration::us(13), {});
  std::uint64_t psn = 0;
  std::int64_t us = 0;
  std::uint64_t tx = 0;
  const auto round = [&](std::uint64_t bytes) {
    us += 13;
    tx += bytes;
    const auto record = hop(us, tx, 0);
    hpcc.on_ack(at_us(us), {.bytes = 1000, .psn = psn, .next_psn = psn + 10, .telemetry = record});
    psn += 10;
  };
  round(0);
  round(325'000);  // twice what the line carries: 0.475
  CHECK(hpcc.reference_bytes() == 77'187 + 81);
  for (unsigned stage = 1; stage <= 5; ++stage) {
    round(81'250);
    CHECK(hpcc.stage() == stage);
    CHECK(hpcc.reference_bytes() == 77'268 + 81 * stage);
  }
  round(81'250);
  CHECK(hpcc.stage() == 0);
  CHECK(hpcc.reference_bytes() > 140'000);
}

TEST_CASE("hpcc: records of another path, of no time and of nonsense rates are survived", "[rxe][hpcc]") {
  Hpcc hpcc(kLine, Duration::us(13), {});
  std::vector<wire::HopTelemetry> hops(12, wire::HopTelemetry{1, 2, 3, 0});
  for (std::size_t count : {1u, 12u, 12u, 3u, 3u, 0u, 8u}) {
    for (auto& record : hops) record = {record.timestamp_ps * 7, ~record.tx_bytes, ~0u, 0};
    hpcc.on_ack(at_us(1), {.bytes = 0, .psn = ~0ull, .next_psn = 0, .telemetry = std::span(hops).first(count)});
    CHECK(hpcc.window_bytes() >= 1);
    CHECK(hpcc.window_bytes() <= 162'500);
  }
}

TEST_CASE("timely: gradient, thresholds and additive increase as computed by hand", "[rxe][timely]") {
  Timely timely(10'000'000'000, {});
  timely.on_rtt(Duration::us(100));
  CHECK(timely.rate_bits_per_s() == 10'000'000'000);  // the line's, and no more
  timely.on_rtt(Duration::us(120));                   // 17.5 us smoothed, 0.875 of minRTT, 0.7 off
  CHECK(timely.rtt_difference() == Duration::ns(17'500));
  CHECK(timely.rate_bits_per_s() == 3'000'000'000);
  timely.on_rtt(Duration::us(40));
  CHECK(timely.rate_bits_per_s() == 3'010'000'000);
  timely.on_rtt(Duration::us(600));
  CHECK(timely.rate_bits_per_s() == 3'010'000'000 - 3010 * 132'800);
}

TEST_CASE("timely: the fifth round trip in a row that does not grow raises the rate five-fold", "[rxe][timely]") {
  Timely timely(10'000'000'000, {});
  timely.on_rtt(Duration::us(100));
  timely.on_rtt(Duration::us(120));
  for (int i = 0; i < 3; ++i) timely.on_rtt(Duration::us(100 - i));  // the first of them turns the difference
  std::uint64_t rate = timely.rate_bits_per_s();
  timely.on_rtt(Duration::us(97));
  CHECK(timely.rate_bits_per_s() == rate + 10'000'000);
  rate = timely.rate_bits_per_s();
  timely.on_rtt(Duration::us(96));
  CHECK(timely.rate_bits_per_s() == rate + 50'000'000);
}

TEST_CASE("timely: samples come a segment apart and from packets that were sent once", "[rxe][timely]") {
  Timely timely(10'000'000'000, {});
  for (std::uint64_t psn = 0; psn < 40; ++psn) timely.on_send(at_us(0), {1078, psn, psn % 16 == 15});
  for (std::uint64_t psn = 0; psn < 16; ++psn) timely.on_ack(at_us(100), {.bytes = 1024, .psn = psn, .telemetry = {}});
  timely.on_ack(at_us(700), {.bytes = 1024, .psn = 16, .telemetry = {}});
  CHECK(timely.rate_bits_per_s() < 10'000'000'000);  // 700 us are beyond the upper threshold
}

TEST_CASE("swift: additive increase below the target, proportional decrease once a round trip above it",
          "[rxe][swift]") {
  Swift swift(kLine, 1000, {});
  constexpr std::uint64_t k = Swift::kPacket;
  CHECK(swift.window() == 313 * k);
  CHECK(swift.window_bytes() == 313'000);
  CHECK(swift.target() == Duration::us(25));
  swift.on_delay(at_us(0), Duration::us(20), 1);
  CHECK(swift.window() == 313 * k + k / 313);
  const std::uint64_t before = swift.window();
  swift.on_delay(at_us(10), Duration::us(50), 1);
  CHECK(swift.window() == before - before * 400 / 1000);
  const std::uint64_t cut = swift.window();
  swift.on_delay(at_us(20), Duration::us(50), 1);
  CHECK(swift.window() == cut);
  swift.on_delay(at_us(600), Duration::us(500), 1);
  CHECK(swift.window() == cut - cut / 2);
}

TEST_CASE("swift: small windows have a higher target, and below a packet there are pauses", "[rxe][swift]") {
  Swift swift(kLine, 1000, {});
  for (int i = 0; i < 40; ++i) swift.on_delay(at_us(1000 * i), Duration::us(900), 1);
  CHECK(swift.window() < Swift::kPacket);
  CHECK(swift.target() > Duration::us(100));
  CHECK(swift.target() <= Duration::us(125));
  CHECK(swift.window_bytes() >= 1);
  swift.on_send(at_us(50'000), {1078, 1, false});
  CHECK(swift.next_send_time(at_us(50'000)) - at_us(50'000) > Duration::us(900));
  swift.on_delay(at_us(60'000), Duration::us(10), 4);
  CHECK(swift.window() > 4 * Swift::kPacket);
}

TEST_CASE("swift: a loss halves the window, five timeouts reset it", "[rxe][swift]") {
  Swift swift(kLine, 1000, {});
  swift.on_loss(at_us(0), Loss::kNak);
  CHECK(swift.window() == 313 * Swift::kPacket / 2);
  for (int i = 1; i <= 5; ++i) swift.on_loss(at_us(i), Loss::kTimeout);
  CHECK(swift.window() == Swift::kPacket * 10 / 1000);
}

TEST_CASE("window: the baseline has the line's bandwidth-delay product in flight, or what it is told",
          "[rxe][window]") {
  CongestionParameters parameters;
  CHECK(make_congestion_controller(CongestionControl::kWindow, kLine, 1000, parameters)->window_bytes() == 162'500);
  parameters.window_bytes = 10'000;
  for (const auto kind : {CongestionControl::kNone, CongestionControl::kDcqcn, CongestionControl::kHpcc,
                          CongestionControl::kTimely, CongestionControl::kSwift, CongestionControl::kWindow}) {
    const auto made = make_congestion_controller(kind, kLine, 1000, parameters);
    REQUIRE(made != nullptr);
    CHECK(made->window_bytes() == 10'000);
  }
}

TEST_CASE("entropy: ports acknowledged without a mark are used again, the oldest first", "[rxe][entropy]") {
  base::Rng rng(1, "test");
  EntropyChooser chooser(true);
  chooser.on_ack(at_us(0), 0xc001, false);
  chooser.on_ack(at_us(0), 0xc002, true);
  chooser.on_ack(at_us(0), 0xc003, false);
  CHECK(chooser.next(rng) == 0xc001);
  CHECK(chooser.next(rng) == 0xc003);
  std::set<std::uint16_t> drawn;
  for (int i = 0; i < 100; ++i) drawn.insert(chooser.next(rng));
  CHECK(drawn.size() > 90);
  CHECK(*drawn.begin() >= EntropyChooser::kPortFirst);
}

TEST_CASE("entropy: after a timeout only ports that are known to work are used for a while", "[rxe][entropy]") {
  base::Rng rng(1, "test");
  EntropyChooser chooser(true);
  chooser.on_ack(at_us(0), 0xc001, false);
  chooser.on_ack(at_us(0), 0xc002, false);
  chooser.on_timeout(at_us(1));
  for (int i = 0; i < 20; ++i) {
    const std::uint16_t port = chooser.next(rng);
    CHECK((port == 0xc001 || port == 0xc002));
  }
  chooser.on_ack(at_us(200), 0xc001, false);
  CHECK(chooser.next(rng) == 0xc001);
  std::set<std::uint16_t> drawn;
  for (int i = 0; i < 20; ++i) drawn.insert(chooser.next(rng));
  CHECK(drawn.size() > 10);
}

}  // namespace rocelab::rxe
