// RC local ACK timer and retry count: IBTA vol 1, 9.7.6.1.3 and 9.9.2.
#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::WcStatus;
using wire::Opcode;

namespace {
base::Duration ack_timeout(unsigned code) { return base::Duration::ns(4096) * (std::int64_t{1} << code); }
}  // namespace

TEST_CASE("rc retry: a silent peer is asked retry_cnt times more, then the request fails", "[rxe][rc][retry]") {
  for (const std::uint8_t retries : Numbers{0, 1, 3, 7}) {
    INFO("retry_cnt " << int{retries});
    Pair pair;
    Connection c(pair, {.retry_cnt = retries});
    REQUIRE(c.valid);
    pair.a_to_b.drop_all(true);
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
    REQUIRE(c.a.post(Work::write(2, c.b.remote(0)).with(c.a.sge(0, 8)).unsignaled()));
    REQUIRE(c.a.recv(100, 0, 64));
    settle(pair);
    const auto failed = expect_sent(c.a, 1, WcStatus::kRetryExcErr);
    CHECK(failed.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kAckTimeout));
    expect_sent(c.a, 2, WcStatus::kWrFlushErr);  // unsignalled or not, a flushed request completes
    expect_received(c.a, 100, WcStatus::kWrFlushErr);
    expect_nothing(c.a);
    CHECK(pair.count_sent('a', Opcode::kRcSendOnly) == 1u + retries);
    CHECK(c.a.state() == QpState::kErr);
    CHECK(c.b.state() == QpState::kRts);
    CHECK(pair.a.device.counters().retry_exceeded_err == 1);
  }
}

TEST_CASE("rc retry: the timer runs 4.096 us * 2^timeout, at most four times as long", "[rxe][rc][retry]") {
  for (const std::uint8_t code : Numbers{1, 8, 14, 20}) {
    INFO("timeout " << int{code});
    Solo solo;
    SoloQp qp(solo, {.timeout = code});
    REQUIRE(qp.ready);
    REQUIRE(qp.post(Work::send(1).with(qp.sge(0, 8))));
    solo.speak();
    CHECK(solo.lines().size() == 1);
    const base::TimePoint sent = solo.side.now;
    for (int i = 0; i < 10 && solo.sent.empty(); ++i) REQUIRE(solo.next_deadline());
    CHECK(solo.lines() == Lines{"RC_SEND_ONLY psn 1000 len 8 ackreq"});
    CHECK(solo.side.now - sent >= ack_timeout(code));
    CHECK(solo.side.now - sent <= ack_timeout(code) * 4);
  }
}

TEST_CASE("rc retry: timeout 0 waits for ever", "[rxe][rc][retry]") {
  Solo solo;
  SoloQp qp(solo, {.timeout = 0});
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::send(1).with(qp.sge(0, 8))));
  solo.speak();
  CHECK_FALSE(solo.side.device.next_timeout().has_value());
}

TEST_CASE("rc retry: the timer starts when the packet leaves, not when it is posted", "[rxe][rc][retry]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::send(1).with(qp.sge(0, 8))));
  CHECK_FALSE(solo.side.device.next_timeout().has_value());
  solo.side.refuse_next = 1;
  solo.side.transmit(16);
  CHECK(solo.sent.empty());
  CHECK_FALSE(solo.side.device.next_timeout().has_value());
  solo.speak();
  CHECK(solo.sent.size() == 1);
  CHECK(solo.side.device.next_timeout().has_value());
}

TEST_CASE("rc retry: when everything is acknowledged no timer runs", "[rxe][rc][retry]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  for (std::uint64_t id = 0; id < 5; ++id) {
    REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 3000))));
    REQUIRE(c.a.post(Work::read(id, c.b.remote(0)).with(c.a.sge(0, 3000))));
  }
  settle(pair);
  CHECK(pair.a.device.next_timeout().has_value() == false);
  CHECK(pair.b.device.next_timeout().has_value() == false);
  CHECK(pair.now() - base::TimePoint::from_ns(1'000'000) < base::Duration::ms(50));
}

TEST_CASE("rc retry: progress gives the whole count back", "[rxe][rc][retry]") {
  Pair pair;
  Connection c(pair, {.retry_cnt = 1});
  REQUIRE(c.valid);
  for (std::uint64_t id = 0; id < 6; ++id) {
    pair.a_to_b.drop_if([](const wire::Packet&) { return true; });
    REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 8))));
    settle(pair);
    expect_sent(c.a, id);
  }
  CHECK(c.a.state() == QpState::kRts);
}

TEST_CASE("rc retry: a long message whose every tenth packet is lost needs no more than one retry in a row",
          "[rxe][rc][retry]") {
  Pair pair;
  QpOptions options{.mtu = rxe::PathMtu::k256, .retry_cnt = 1};
  Connection c(pair, options);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a_to_b.drop_if(
      [last = 0u](const wire::Packet& p) mutable {
        if (p.bth.psn.value() % 10 != 0 || p.bth.psn.value() <= last) return false;
        last = p.bth.psn.value();
        return true;
      },
      1000);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 60'000))));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(c.b.memory.holds(0, 60'000, 1, 0));
}

TEST_CASE("rc retry: a peer that comes back in time is not given up", "[rxe][rc][retry]") {
  Pair pair;
  Connection c(pair, {.retry_cnt = 7});
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a_to_b.drop_all(true);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 5000))));
  pair.advance(ack_timeout(14) * 3);
  expect_nothing(c.a);
  pair.a_to_b.drop_all(false);
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(c.b.memory.holds(0, 5000, 1, 0));
}

TEST_CASE("rc retry: sequence NAKs without end are given up as well", "[rxe][rc][retry]") {
  Solo solo;
  SoloQp qp(solo, {.retry_cnt = 2});
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::send(1).with(qp.sge(0, 8))));
  int sent = 0;
  for (int i = 0; i < 20; ++i) {
    solo.speak();
    sent += static_cast<int>(solo.lines().size());
    solo.deliver(
        solo.from_peer(qp, Opcode::kRcAcknowledge, 1000).aeth(wire::Aeth::nak(wire::NakCode::kPsnSequenceError, 0)));
  }
  CHECK(sent == 3);
  const auto failed = expect_sent(qp, 1, WcStatus::kRetryExcErr);
  CHECK(failed.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kSequenceRetries));
}

TEST_CASE("rc retry: a peer that is gone is a retry error, not a hang, for reads and atomics too", "[rxe][rc][retry]") {
  Pair pair;
  Connection c(pair, {.retry_cnt = 1});
  REQUIRE(c.valid);
  REQUIRE(pair.b.device.destroy_qp(c.b.qpn));
  REQUIRE(c.a.post(Work::read(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  REQUIRE(c.a.post(Work::fetch_add(2, c.b.remote(0), 1).with(c.a.sge(0, 8))));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRetryExcErr);
  expect_sent(c.a, 2, WcStatus::kWrFlushErr);
  CHECK(pair.b.device.counters().drop_bad_qpn >= 2);
}

}  // namespace rocelab::test
