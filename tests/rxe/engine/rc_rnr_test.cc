// RC receiver-not-ready: the NAK, its timer, the retry count, 7 for ever.
#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"
#include "wire/aeth.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::WcStatus;
using wire::Opcode;

namespace {

bool is_rnr_nak(const wire::Packet& packet) {
  return packet.bth.opcode == Opcode::kRcAcknowledge && packet.aeth.kind() == wire::AethKind::kRnrNak;
}
std::size_t rnr_naks(const Pair& pair) {
  std::size_t count = 0;
  for (const Recorded& record : pair.sent) count += is_rnr_nak(record.packet.header()) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("rnr: a SEND without a receive is answered by an RNR NAK with the responder's timer code", "[rxe][rc][rnr]") {
  for (const std::uint8_t code : Numbers{1, 12, 31}) {
    Solo solo;
    SoloQp qp(solo, {.min_rnr_timer = code});
    REQUIRE(qp.ready);
    CHECK(solo.exchange(solo.from_peer(qp, Opcode::kRcSendOnly, kPeerPsn).payload(8, 1).ack_request()) ==
          Lines{"RC_ACKNOWLEDGE psn 5000 rnr " + std::to_string(code) + " msn 0"});
    CHECK(solo.side.device.counters().send_rnr_err == 1);
  }
}

TEST_CASE("rnr: the requester waits as long as the NAK says, for every timer code", "[rxe][rc][rnr]") {
  for (std::uint8_t code = 0; code < 32; ++code) {
    INFO("timer code " << int{code});
    Solo solo;
    SoloQp qp(solo);
    REQUIRE(qp.ready);
    REQUIRE(qp.post(Work::send(1).with(qp.sge(0, 8))));
    solo.speak();
    CHECK(solo.lines().size() == 1);
    solo.deliver(solo.from_peer(qp, Opcode::kRcAcknowledge, 1000).aeth(wire::Aeth::rnr_nak(code, 0)));
    solo.speak();
    const base::TimePoint asked = solo.side.now;
    CHECK(solo.lines().empty());
    for (int i = 0; i < 10 && solo.sent.empty(); ++i) REQUIRE(solo.next_deadline());
    CHECK(solo.lines() == Lines{"RC_SEND_ONLY psn 1000 len 8 ackreq"});
    const base::Duration waited = solo.side.now - asked;
    CHECK(waited >= wire::rnr_timer(code));
    CHECK(waited <= wire::rnr_timer(code) * 2);
  }
}

TEST_CASE("rnr: once a receive is posted the message arrives whole", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  c.b.memory.clear();
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 5000))));
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(5000, 100))));
  pair.advance(base::Duration::us(100));
  CHECK(rnr_naks(pair) == 1);
  expect_nothing(c.a);
  CHECK(c.b.memory.zero(0, c.b.memory.size()));
  REQUIRE(c.b.recv(100, 0, 5000));
  REQUIRE(c.b.recv(101, 5000, 5000));
  settle(pair);
  expect_sent(c.a, 1);
  expect_sent(c.a, 2);
  expect_received(c.b, 100);
  expect_received(c.b, 101);
  CHECK(c.b.memory.holds(0, 5100, 1, 0));
  CHECK(rnr_naks(pair) == 1);
}

TEST_CASE("rnr: after rnr_retry repetitions the request fails and the QP is in error", "[rxe][rc][rnr]") {
  for (const std::uint8_t retries : Numbers{0, 1, 3, 6}) {
    INFO("rnr_retry " << int{retries});
    Pair pair;
    Connection c(pair, {.rnr_retry = retries});
    REQUIRE(c.valid);
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
    REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 8))));
    settle(pair);
    const auto failed = expect_sent(c.a, 1, WcStatus::kRnrRetryExcErr);
    CHECK(failed.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kRnrRetries));
    expect_sent(c.a, 2, WcStatus::kWrFlushErr);
    CHECK(rnr_naks(pair) == 1u + retries);
    CHECK(c.a.state() == QpState::kErr);
    CHECK(c.b.state() == QpState::kRts);
    CHECK(pair.a.device.counters().rcvd_rnr_err == 1u + retries);
    CHECK(pair.a.device.counters().retry_rnr_exceeded_err == 1);
  }
}

TEST_CASE("rnr: 7 means for ever", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair, {.rnr_retry = 7, .min_rnr_timer = 1});
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  REQUIRE(pair.drive_until([&] { return rnr_naks(pair) >= 100; }));
  expect_nothing(c.a);
  CHECK(c.a.state() == QpState::kRts);
  REQUIRE(c.b.recv(100, 0, 64));
  settle(pair);
  expect_sent(c.a, 1);
  expect_received(c.b, 100);
}

TEST_CASE("rnr: progress gives the whole count back", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair, {.rnr_retry = 1, .min_rnr_timer = 1});
  REQUIRE(c.valid);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    REQUIRE(c.a.post(Work::send(id).with(c.a.sge(0, 8))));
    const std::size_t before = rnr_naks(pair);
    REQUIRE(pair.drive_until([&] { return rnr_naks(pair) > before; }));
    REQUIRE(c.b.recv(100 + id, 0, 64));
    settle(pair);
    expect_sent(c.a, id);
    expect_received(c.b, 100 + id);
  }
}

TEST_CASE("rnr: waiting does not count against retry_cnt", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair, {.timeout = 8, .retry_cnt = 0, .rnr_retry = 7, .min_rnr_timer = 20});  // 1 ms against 10.24 ms
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  REQUIRE(pair.drive_until([&] { return rnr_naks(pair) >= 5; }));
  REQUIRE(c.b.recv(100, 0, 64));
  settle(pair);
  expect_sent(c.a, 1);
}

TEST_CASE("rnr: a lost RNR NAK is made up for by the ACK timer", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  pair.b_to_a.drop_if(is_rnr_nak);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  pair.advance(base::Duration::us(50));
  REQUIRE(c.b.recv(100, 0, 64));
  settle(pair);
  expect_sent(c.a, 1);
  expect_received(c.b, 100);
}

TEST_CASE("rnr: what was before the request is acknowledged by the NAK", "[rxe][rc][rnr]") {
  Pair pair;
  Connection c(pair, {.rnr_retry = 7});
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 8))));
  pair.b_to_a.drop_if([](const wire::Packet& p) { return !is_rnr_nak(p); }, 100);
  REQUIRE(pair.drive_until([&] { return rnr_naks(pair) == 1; }));
  pair.advance(base::Duration::us(10));
  expect_sent(c.a, 1);
  expect_nothing(c.a);
}

TEST_CASE("rnr: packets behind the refused one are dropped in silence", "[rxe][rc][rnr][responder]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  qp.memory.clear();
  solo.deliver(solo.from_peer(qp, Opcode::kRcSendOnly, kPeerPsn).payload(8, 1).ack_request());
  REQUIRE(qp.recv(100, 0, 64));
  solo.deliver(solo.from_peer(qp, Opcode::kRcSendOnly, kPeerPsn + 1).payload(8, 1).ack_request());
  solo.deliver(solo.from_peer(qp, Opcode::kRcSendOnly, kPeerPsn + 2).payload(8, 1).ack_request());
  solo.speak();
  const Lines lines = solo.lines();
  REQUIRE(!lines.empty());
  CHECK(lines[0] == "RC_ACKNOWLEDGE psn 5000 rnr 12 msn 0");
  CHECK_FALSE(qp.poll(qp.recv_cq).has_value());
  CHECK(qp.memory.zero(0, 64));
  solo.exchange(solo.from_peer(qp, Opcode::kRcSendOnly, kPeerPsn).payload(8, 1).ack_request());
  expect_received(qp, 100);
}

}  // namespace rocelab::test
