// UC: unacknowledged, in order, whole messages or none (IBTA vol 1, 9.8.2).
#include <cerrno>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::QpType;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Opcode;

namespace {

constexpr QpType kUc = QpType::kUc;

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(QpOptions options = {}) : c(pair, with_uc(options)) {
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    c.b.memory.clear();
  }
  static QpOptions with_uc(QpOptions options) {
    options.type = kUc;
    return options;
  }
};

FaultyLink::Match psn_is(std::uint32_t psn) {
  return [psn](const wire::Packet& packet) { return packet.bth.psn.value() == psn; };
}

}  // namespace

TEST_CASE("uc: a SEND arrives, completes when sent, and nothing answers", "[rxe][uc]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 4096));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 2500))));
  settle(f.pair);
  CHECK(expect_sent(f.c.a, 1).opcode == WcOpcode::kSend);
  CHECK(expect_received(f.c.b, 100).byte_len == 2500);
  CHECK(f.c.b.memory.holds(0, 2500, 1, 0));
  const Lines lines = f.pair.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("a UC_SEND_FIRST psn 1000 len 1024"));
  CHECK(lines[2].starts_with("a UC_SEND_LAST psn 1002 len 452"));
}

TEST_CASE("uc: immediates of SEND and WRITE arrive", "[rxe][uc][imm]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 4096));
  REQUIRE(f.c.b.recv(101, {}));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 2000)).imm(5)));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(8000)).with(f.c.a.sge(0, 2000)).imm(6)));
  settle(f.pair);
  CHECK(expect_received(f.c.b, 100).immediate == 5);
  const auto write = expect_received(f.c.b, 101);
  CHECK(write.immediate == 6);
  CHECK(write.opcode == WcOpcode::kRecvRdmaWithImm);
  CHECK(write.byte_len == 2000);
  CHECK(f.c.b.memory.holds(8000, 2000, 1, 0));
}

TEST_CASE("uc: a WRITE lands where it must and consumes no receive", "[rxe][uc][write]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(100)).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.c.b.memory.zero(0, 100));
  CHECK(f.c.b.memory.holds(100, 3000, 1, 0));
  CHECK(f.c.b.memory.zero(3100, 1000));
  expect_guards(f.c);
}

TEST_CASE("uc: a message that loses a packet vanishes whole and the next one arrives", "[rxe][uc][loss]") {
  for (const std::uint32_t lost : {0u, 1u, 2u}) {
    INFO("packet " << lost << " of 3 lost");
    Fixture f;
    REQUIRE(f.c.b.recv(100, 0, 4096));
    REQUIRE(f.c.b.recv(101, 8192, 4096));
    f.pair.a_to_b.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 3000))));
    REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(4000, 3000))));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    expect_sent(f.c.a, 2);
    CHECK(expect_received(f.c.b, 100).byte_len == 3000);
    CHECK(f.c.b.memory.holds(0, 3000, 1, 4000));
    expect_nothing(f.c.b);
    CHECK(f.c.b.memory.zero(8192, 4096));
    CHECK(f.c.b.state() == QpState::kRts);
    CHECK(f.pair.b.device.counters().drop_bad_sequence >= 1);
  }
}

TEST_CASE("uc: a WRITE with immediate that loses a packet completes no receive", "[rxe][uc][loss]") {
  for (const std::uint32_t lost : {0u, 1u, 2u}) {
    Fixture f;
    REQUIRE(f.c.b.recv(100, {}));
    f.pair.a_to_b.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000)).imm(1)));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    expect_nothing(f.c.b);
    REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(0)).with(f.c.a.sge(0, 3000)).imm(2)));
    settle(f.pair);
    CHECK(expect_received(f.c.b, 100).immediate == 2);
  }
}

TEST_CASE("uc: without a receive a message is dropped and counted, and the QP lives on", "[rxe][uc]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.pair.b.device.counters().drop_no_receive >= 1);
  REQUIRE(f.c.b.recv(100, 0, 4096));
  REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(0, 100))));
  settle(f.pair);
  CHECK(expect_received(f.c.b, 100).byte_len == 100);
}

TEST_CASE("uc: what the region does not allow is dropped without a byte or a completion", "[rxe][uc][access]") {
  Fixture f;
  Remote outside = f.c.b.remote(f.c.b.memory.size() - 1000);
  REQUIRE(f.c.b.recv(100, {}));
  REQUIRE(f.c.a.post(Work::write(1, outside).with(f.c.a.sge(0, 3000)).imm(1)));
  Remote unknown = f.c.b.remote(0);
  unknown.rkey ^= 1;
  REQUIRE(f.c.a.post(Work::write(2, unknown).with(f.c.a.sge(0, 3000)).imm(2)));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  expect_nothing(f.c.b);
  CHECK(f.pair.b.device.counters().drop_access == 2);
  CHECK(f.c.b.state() == QpState::kRts);
  CHECK(f.c.b.memory.zero(0, f.c.b.memory.size()));
  expect_guards(f.c);
}

TEST_CASE("uc: a SEND longer than the receive does not overrun it", "[rxe][uc]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_nothing(f.c.b);
  CHECK(f.pair.b.device.counters().drop_too_long == 1);
  CHECK(f.c.b.memory.zero(64, f.c.b.memory.size() - 64));
}

TEST_CASE("uc: READ and atomics cannot be posted", "[rxe][uc]") {
  Fixture f;
  CHECK(code_of(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8)))) == EINVAL);
  CHECK(code_of(f.c.a.post(Work::fetch_add(1, f.c.b.remote(0), 1).with(f.c.a.sge(0, 8)))) == EINVAL);
  CHECK(code_of(f.c.a.post(Work::compare_swap(1, f.c.b.remote(0), 1, 1).with(f.c.a.sge(0, 8)))) == EINVAL);
  settle(f.pair);
  expect_nothing(f.c.a);
  CHECK(f.pair.lines().empty());
}

TEST_CASE("uc: a local error takes the send queue to SQE, the receive side works on", "[rxe][uc][sqe]") {
  Fixture f;
  rxe::Sge bad = f.c.a.sge(0, 8);
  bad.lkey ^= 1;
  REQUIRE(f.c.a.post(Work::send(1).with(bad)));
  REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kLocProtErr);
  expect_sent(f.c.a, 2, WcStatus::kWrFlushErr);
  CHECK(f.c.a.state() == QpState::kSqe);
  REQUIRE(f.c.a.recv(100, 0, 64));
  REQUIRE(f.c.b.post(Work::send(3).with(f.c.b.sge(0, 8))));
  settle(f.pair);
  expect_received(f.c.a, 100);
  REQUIRE(f.c.a.post(Work::send(4).with(f.c.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 4, WcStatus::kWrFlushErr);
  REQUIRE(f.c.a.to_state(QpState::kRts));
  REQUIRE(f.c.b.recv(101, 0, 64));
  REQUIRE(f.c.a.post(Work::send(5).with(f.c.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 5);
  expect_received(f.c.b, 101);
}

TEST_CASE("uc: packets out of order of opcodes are dropped and the next message arrives", "[rxe][uc][responder]") {
  Solo solo;
  QpOptions options;
  options.type = kUc;
  SoloQp qp(solo, options);
  REQUIRE(qp.ready);
  qp.memory.clear();
  REQUIRE(qp.recv(100, 0, 4096));
  std::uint32_t psn = kPeerPsn;
  for (const Opcode opcode : {Opcode::kUcSendMiddle, Opcode::kUcSendLast, Opcode::kUcRdmaWriteLast}) {
    CHECK(solo.exchange(solo.from_peer(qp, opcode, psn++).payload(1024, 1)).empty());
  }
  solo.exchange(solo.from_peer(qp, Opcode::kUcSendFirst, psn++).payload(1000, 1));  // not the path MTU
  solo.exchange(solo.from_peer(qp, Opcode::kUcSendLast, psn++).payload(10, 1));
  CHECK_FALSE(qp.poll(qp.recv_cq).has_value());
  solo.exchange(solo.from_peer(qp, Opcode::kUcSendOnly, psn + 50).payload(16, 2));  // a gap before ONLY is fine
  CHECK(expect_received(qp, 100).byte_len == 16);
  CHECK(qp.memory.holds(0, 16, 2, 0));
}

TEST_CASE("uc: over a link with loss and reordering each delivered message is whole", "[rxe][uc][loss]") {
  Fixture f;
  f.pair.a_to_b.faults.loss = 100;
  f.pair.a_to_b.faults.reorder = 100;
  std::uint64_t delivered = 0;
  REQUIRE(f.c.b.recv(0, 0, 4096));
  for (std::uint64_t round = 0; round < 200; ++round) {
    f.c.a.memory.fill(round);
    REQUIRE(f.c.a.post(Work::send(round).with(f.c.a.sge(0, 2500)).imm(static_cast<std::uint32_t>(round))));
    settle(f.pair);
    expect_sent(f.c.a, round);
    const auto received = f.c.b.poll(f.c.b.recv_cq);
    if (!received) continue;
    ++delivered;
    REQUIRE(received->status == WcStatus::kSuccess);
    CHECK(received->immediate == round);
    CHECK(f.c.b.memory.holds(0, 2500, round, 0));
    REQUIRE(f.c.b.recv(round, 0, 4096));
  }
  CHECK(delivered > 20);
}

}  // namespace rocelab::test
