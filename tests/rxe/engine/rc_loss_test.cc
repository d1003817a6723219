// RC over a link that loses: NAK sequence error, go-back-N, lost responses, lost acknowledgements.
#include <algorithm>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::WcStatus;
using wire::Opcode;

namespace {

FaultyLink::Match is(Opcode opcode) {
  return [opcode](const wire::Packet& packet) { return packet.bth.opcode == opcode; };
}
FaultyLink::Match psn_is(std::uint32_t psn) {
  return [psn](const wire::Packet& packet) { return packet.bth.psn.value() == psn; };
}
FaultyLink::Match is_nak() {
  return [](const wire::Packet& packet) {
    return packet.bth.opcode == Opcode::kRcAcknowledge && packet.aeth.kind() == wire::AethKind::kNak;
  };
}

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}) : c(pair, options) {
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    c.b.memory.clear();
  }
  std::size_t naks() const {
    std::size_t count = 0;
    for (const Recorded& record : pair.sent) count += is_nak()(record.packet.header()) ? 1 : 0;
    return count;
  }
  std::size_t times_sent(char from, std::uint32_t psn) const {
    std::size_t count = 0;
    for (const Recorded& record : pair.sent) {
      if (record.from == from && record.packet.header().bth.psn.value() == psn) ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("rc loss: a lost first, middle or last packet of a SEND is sent again from there on", "[rxe][rc][loss]") {
  for (const std::uint32_t lost : {0u, 1u, 2u, 3u, 4u}) {
    INFO("packet " << lost << " of 5 lost");
    Fixture f;
    REQUIRE(f.c.b.recv(100, 0, 8192));
    f.pair.a_to_b.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 5000))));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    CHECK(expect_received(f.c.b, 100).byte_len == 5000);
    expect_nothing(f.c.a);
    expect_nothing(f.c.b);
    CHECK(f.c.b.memory.holds(0, 5000, 1, 0));
    // The last packet's loss leaves no gap to be noticed: the timer finds it, and nothing has been acknowledged yet.
    const std::uint32_t from = lost == 4 ? 0 : lost;
    for (std::uint32_t psn = 1000; psn < 1005; ++psn) CHECK(f.times_sent('a', psn) == (psn >= 1000 + from ? 2 : 1));
    CHECK(f.naks() == (lost == 4 ? 0 : 1));
  }
}

TEST_CASE("rc loss: a NAK names the expected PSN and is sent once a gap", "[rxe][rc][loss][nak]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 32 * 1024));
  f.pair.a_to_b.drop_if(psn_is(1003));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 20 * 1024))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.naks() == 1);
  for (const Recorded& record : f.pair.sent) {
    if (!is_nak()(record.packet.header())) continue;
    CHECK(to_line(record.packet.view()) == "RC_ACKNOWLEDGE psn 1003 nak 0 msn 0");
  }
  CHECK(f.pair.b.device.counters().out_of_seq_request > 0);
  CHECK(f.pair.a.device.counters().rcvd_seq_err == 1);
}

TEST_CASE("rc loss: a lost NAK is made up for by the timer", "[rxe][rc][loss][nak]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 8192));
  f.pair.a_to_b.drop_if(psn_is(1001));
  f.pair.b_to_a.drop_if(is_nak());
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 5000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_received(f.c.b, 100);
  CHECK(f.c.b.memory.holds(0, 5000, 1, 0));
}

TEST_CASE("rc loss: a second gap behind the first is NAKed as well", "[rxe][rc][loss][nak]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 32 * 1024));
  f.pair.a_to_b.drop_if(psn_is(1002));
  f.pair.a_to_b.drop_if([seen = 0](const wire::Packet& p) mutable { return p.bth.psn.value() == 1006 && ++seen == 2; });
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 20 * 1024))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.naks() == 2);
  CHECK(f.c.b.memory.holds(0, 20 * 1024, 1, 0));
}

TEST_CASE("rc loss: a lost ACK is made up for by a later one", "[rxe][rc][loss][ack]") {
  Fixture f;
  f.pair.b_to_a.drop_if(is(Opcode::kRcAcknowledge));
  for (std::uint64_t id = 1; id <= 2; ++id) {
    REQUIRE(f.c.a.post(Work::write(id, f.c.b.remote(id * 64)).with(f.c.a.sge(0, 64))));
    f.pair.advance(base::Duration::us(50));
  }
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(f.times_sent('a', 1000) == 1);
}

TEST_CASE("rc loss: when the last ACK is lost the message is repeated, re-ACKed and delivered once",
          "[rxe][rc][loss][ack]") {
  Fixture f;
  f.pair.b_to_a.drop_if(is(Opcode::kRcAcknowledge));
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.b.recv(101, 64, 64));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 64))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_received(f.c.b, 100);
  expect_nothing(f.c.b);
  CHECK(f.c.b.memory.zero(64, 64));
  CHECK(f.times_sent('a', 1000) == 2);
  CHECK(f.pair.b.device.counters().duplicate_request == 1);
}

TEST_CASE("rc loss: a lost packet of a WRITE with immediate leads to one receive completion", "[rxe][rc][loss]") {
  for (const std::uint32_t lost : {0u, 1u, 2u}) {
    Fixture f;
    REQUIRE(f.c.b.recv(100, {}));
    REQUIRE(f.c.b.recv(101, {}));
    f.pair.a_to_b.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(10)).with(f.c.a.sge(0, 3000)).imm(5)));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    CHECK(expect_received(f.c.b, 100).byte_len == 3000);
    expect_nothing(f.c.b);
    CHECK(f.c.b.memory.holds(10, 3000, 1, 0));
  }
}

TEST_CASE("rc loss: a lost READ request is asked again", "[rxe][rc][loss][read]") {
  Fixture f;
  f.c.b.memory.fill(2);
  f.pair.a_to_b.drop_if(is(Opcode::kRcRdmaReadRequest));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.c.a.memory.holds(0, 3000, 2, 0));
}

TEST_CASE("rc loss: after a lost READ response only the remainder is asked for", "[rxe][rc][loss][read]") {
  for (const std::uint32_t lost : {0u, 1u, 2u, 4u}) {
    INFO("response packet " << lost << " of 5 lost");
    Fixture f;
    f.c.b.memory.fill(2);
    f.pair.b_to_a.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(100)).with(f.c.a.sge(0, 5000))));
    settle(f.pair);
    CHECK(expect_sent(f.c.a, 1).byte_len == 5000);
    CHECK(f.c.a.memory.holds(0, 5000, 2, 100));
    std::vector<wire::Packet> requests;
    for (const Recorded& record : f.pair.sent) {
      if (record.packet.header().bth.opcode == Opcode::kRcRdmaReadRequest) requests.push_back(record.packet.header());
    }
    REQUIRE(requests.size() == 2);
    CHECK(requests[1].bth.psn.value() == 1000 + lost);
    CHECK(requests[1].reth.virtual_address == f.c.b.remote(100 + lost * 1024).addr);
    CHECK(requests[1].reth.dma_length == 5000 - lost * 1024);
  }
}

TEST_CASE("rc loss: a lost response of an earlier READ is noticed by a later response", "[rxe][rc][loss][read]") {
  Fixture f;
  f.c.b.memory.fill(2);
  f.pair.b_to_a.drop_if(psn_is(1000));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 100))));
  REQUIRE(f.c.a.post(Work::read(2, f.c.b.remote(1000)).with(f.c.a.sge(1000, 100))));
  const base::TimePoint start = f.pair.now();
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(f.c.a.memory.holds(0, 100, 2, 0));
  CHECK(f.c.a.memory.holds(1000, 100, 2, 1000));
  CHECK(f.pair.now() - start < base::Duration::ms(1));  // the implied NAK, not the timer of 67 ms
}

TEST_CASE("rc loss: an ACK behind an unanswered READ implies that its response was lost", "[rxe][rc][loss][read]") {
  Fixture f;
  f.c.b.memory.fill(2);
  f.pair.b_to_a.drop_if(is(Opcode::kRcRdmaReadResponseOnly));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 100))));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(5000)).with(f.c.a.sge(200, 100))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(f.c.a.memory.holds(0, 100, 2, 0));
}

TEST_CASE("rc loss: a lost ATOMIC request is executed once, a lost answer replayed", "[rxe][rc][loss][atomic]") {
  for (const bool answer : {false, true}) {
    Fixture f;
    f.c.b.memory.set_word(0, 10);
    (answer ? f.pair.b_to_a : f.pair.a_to_b).drop_if(is(answer ? Opcode::kRcAtomicAcknowledge : Opcode::kRcFetchAdd));
    REQUIRE(f.c.a.post(Work::fetch_add(1, f.c.b.remote(0), 1).with(f.c.a.sge(8, 8))));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    CHECK(f.c.a.memory.word(8) == 10);
    CHECK(f.c.b.memory.word(0) == 11);
  }
}

TEST_CASE("rc loss: a read response or an atomic's answer acknowledges what was before it", "[rxe][rc][loss][ack]") {
  for (const bool atomic : {false, true}) {
    Fixture f;
    f.pair.b_to_a.drop_if(is(Opcode::kRcAcknowledge), 100);  // no plain ACK ever arrives
    REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(64)).with(f.c.a.sge(0, 64))));
    if (atomic) {
      REQUIRE(f.c.a.post(Work::fetch_add(2, f.c.b.remote(0), 1).with(f.c.a.sge(8, 8))));
    } else {
      REQUIRE(f.c.a.post(Work::read(2, f.c.b.remote(0)).with(f.c.a.sge(8, 8))));
    }
    f.pair.advance(base::Duration::ms(1));
    expect_sent(f.c.a, 1);
    expect_sent(f.c.a, 2);
  }
}

TEST_CASE("rc loss: a reordered packet is NAKed, repeated and written once where it belongs", "[rxe][rc][loss]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 8192));
  f.pair.a_to_b.delay_if(psn_is(1001), base::Duration::us(5));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 5000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(expect_received(f.c.b, 100).byte_len == 5000);
  expect_nothing(f.c.b);
  CHECK(f.c.b.memory.holds(0, 5000, 1, 0));
}

TEST_CASE("rc loss: duplicated packets deliver once", "[rxe][rc][loss]") {
  Fixture f;
  f.pair.a_to_b.faults.duplicate = 1000;
  f.pair.b_to_a.faults.duplicate = 1000;
  f.c.b.memory.set_word(0, 0);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    REQUIRE(f.c.b.recv(100 + id, 1024 * id, 2048));
    REQUIRE(f.c.a.post(Work::send(id).with(f.c.a.sge(1024 * id, 1500))));
    REQUIRE(f.c.a.post(Work::fetch_add(20 + id, f.c.b.remote(0), 1).with(f.c.a.sge(0, 8))));
  }
  settle(f.pair);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    expect_sent(f.c.a, id);
    expect_sent(f.c.a, 20 + id);
    expect_received(f.c.b, 100 + id);
  }
  expect_nothing(f.c.a);
  expect_nothing(f.c.b);
  CHECK(f.c.b.memory.word(0) == 10);
}

TEST_CASE("rc loss: with a tenth of all packets lost everything arrives in the end", "[rxe][rc][loss]") {
  Fixture f({.retry_cnt = 7, .max_rd_atomic = 4});
  f.pair.a_to_b.faults.loss = 100;
  f.pair.b_to_a.faults.loss = 100;
  for (std::uint64_t id = 0; id < 20; ++id) {
    REQUIRE(f.c.b.recv(100 + id, id * 3000, 3000));
    REQUIRE(f.c.a.post(Work::send(id).with(f.c.a.sge(id * 3000, 3000))));
  }
  settle(f.pair);
  for (std::uint64_t id = 0; id < 20; ++id) {
    expect_sent(f.c.a, id);
    expect_received(f.c.b, 100 + id);
  }
  CHECK(f.c.b.memory.holds(0, 60'000, 1, 0));
  expect_guards(f.c);
}

}  // namespace rocelab::test
