// RC RDMA READ: responses, outstanding reads, order with what follows.
#include <algorithm>
#include <cerrno>

#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::PathMtu;
using rxe::QpState;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Opcode;

namespace {

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}) : c(pair, options) {
    REQUIRE(c.valid);
    c.a.memory.clear();
    c.b.memory.fill(2);
  }
};

}  // namespace

TEST_CASE("rc read: the peer's bytes come and nothing else changes", "[rxe][rc][read]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(500)).with(f.c.a.sge(100, 64))));
  settle(f.pair);
  const auto completion = expect_sent(f.c.a, 1);
  CHECK(completion.opcode == WcOpcode::kRdmaRead);
  CHECK(completion.byte_len == 64);
  CHECK(f.c.a.memory.zero(0, 100));
  CHECK(f.c.a.memory.holds(100, 64, 2, 500));
  CHECK(f.c.a.memory.zero(164, f.c.a.memory.size() - 164));
  expect_nothing(f.c.b);
  CHECK(f.pair.lines() == Lines{"a RC_RDMA_READ_REQUEST psn 1000 dma 64 ackreq",
                                "b RC_RDMA_READ_RESPONSE_ONLY psn 1000 ack msn 1 len 64"});
}

TEST_CASE("rc read: it takes as many PSNs as its response has packets", "[rxe][rc][read]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 8192, 8));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 2100))));
  REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(8192, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(f.c.a.memory.holds(0, 2100, 2, 0));
  const Lines lines = f.pair.lines();
  const auto has = [&](const char* text) {
    return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.find(text) != line.npos; });
  };
  CHECK(has("b RC_RDMA_READ_RESPONSE_FIRST psn 1000"));
  CHECK(has("b RC_RDMA_READ_RESPONSE_MIDDLE psn 1001 len 1024"));
  CHECK(has("b RC_RDMA_READ_RESPONSE_LAST psn 1002"));
  CHECK(has("a RC_SEND_ONLY psn 1003"));
  CHECK(has("b RC_ACKNOWLEDGE psn 1003 ack msn 2"));
}

TEST_CASE("rc read: lengths around every path MTU come byte by byte into scattered pieces", "[rxe][rc][read]") {
  for (const PathMtu mtu : {PathMtu::k256, PathMtu::k1024, PathMtu::k4096}) {
    Fixture f({.mtu = mtu});
    const std::size_t m = rxe::mtu_bytes(mtu);
    for (const std::size_t length : {std::size_t{2}, m - 1, m, m + 1, 2 * m, 3 * m + 7}) {
      INFO("mtu " << m << " length " << length);
      f.c.a.memory.clear();
      REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(9))
                             .with(f.c.a.sge(1000, 1))
                             .with(f.c.a.sge(2000, 0))
                             .with(f.c.a.sge(30'000, length - 1))));
      settle(f.pair);
      CHECK(expect_sent(f.c.a, 1).byte_len == length);
      CHECK(f.c.a.memory.holds(1000, 1, 2, 9));
      CHECK(f.c.a.memory.holds(30'000, length - 1, 2, 10));
      CHECK(f.c.a.memory.zero(30'000 + length - 1, 1000));
      CHECK(f.c.a.memory.zero(1001, 28'000));
    }
  }
}

TEST_CASE("rc read: of zero length it checks no key and completes", "[rxe][rc][read]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::read(1, {1, 2})));
  REQUIRE(f.c.a.post(Work::read(2, {~0ull, 0}).with(f.c.a.sge(0, 0))));
  settle(f.pair);
  CHECK(expect_sent(f.c.a, 1).byte_len == 0);
  expect_sent(f.c.a, 2);
}

TEST_CASE("rc read: what the peer does not allow is a remote access error and nothing is written",
          "[rxe][rc][read][access]") {
  for (const int which : {0, 1, 2}) {
    Fixture f;
    Region writable(f.pair.b.device, f.pair.b.pd, 4096, rxe::access::kLocalWrite | rxe::access::kRemoteWrite);
    Remote remote = which == 0 ? writable.remote(0) : f.c.b.remote(f.c.b.memory.size() - 4095);
    if (which == 2) remote.rkey += 0x100;
    REQUIRE(f.c.a.post(Work::read(1, remote).with(f.c.a.sge(0, 4096))));
    settle(f.pair);
    expect_sent(f.c.a, 1, WcStatus::kRemAccessErr);
    CHECK(f.c.a.memory.zero(0, 4096));
    CHECK(f.c.a.state() == QpState::kErr);
    CHECK(f.pair.b.count_events(rxe::EventType::kQpAccessErr, &f.c.b) == 1);
  }
}

TEST_CASE("rc read: local memory without LOCAL_WRITE is a local protection error", "[rxe][rc][read]") {
  Fixture f;
  Region read_only(f.pair.a.device, f.pair.a.pd, 64, rxe::access::kRemoteRead);
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(read_only.sge(0, 64))));
  settle(f.pair);
  const auto completion = expect_sent(f.c.a, 1, WcStatus::kLocProtErr);
  CHECK(completion.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kLocalNoRight));
  CHECK(read_only.holds(0, 64, 0, 0));
  CHECK(f.c.a.state() == QpState::kErr);
}

TEST_CASE("rc read: never more than max_rd_atomic are outstanding", "[rxe][rc][read]") {
  for (const std::uint8_t most : Numbers{1, 2, 4}) {
    QpOptions options{.max_rd_atomic = most, .max_dest_rd_atomic = most};
    Fixture f(options);
    for (std::uint64_t id = 0; id < 20; ++id) {
      REQUIRE(f.c.a.post(Work::read(id, f.c.b.remote(id * 2000)).with(f.c.a.sge(id * 2000, 2000))));
    }
    settle(f.pair);
    for (std::uint64_t id = 0; id < 20; ++id) expect_sent(f.c.a, id);
    CHECK(f.c.a.memory.holds(0, 40'000, 2, 0));
    // An upper bound of what was outstanding: requests sent minus responses whose last packet has been sent.
    int outstanding = 0, peak = 0;
    for (const Recorded& record : f.pair.sent) {
      const Opcode op = record.packet.header().bth.opcode;
      if (op == Opcode::kRcRdmaReadRequest) peak = std::max(peak, ++outstanding);
      if (op == Opcode::kRcRdmaReadResponseLast) --outstanding;
    }
    CHECK(peak <= most);
    CHECK(f.pair.count_sent('a', Opcode::kRcRdmaReadRequest) == 20);
  }
}

TEST_CASE("rc read: requests behind it complete behind it", "[rxe][rc][read]") {
  Fixture f;
  f.pair.b_to_a.delay_if([](const wire::Packet& p) { return p.bth.opcode == Opcode::kRcRdmaReadResponseOnly; },
                         base::Duration::us(20));
  REQUIRE(f.c.b.recv(100, 8192, 64));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 64))));
  REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(512, 8))));
  REQUIRE(f.c.a.post(Work::write(3, f.c.b.remote(4096)).with(f.c.a.sge(512, 8))));
  settle(f.pair);
  for (const std::uint64_t id : {1u, 2u, 3u}) expect_sent(f.c.a, id);
  CHECK(f.c.a.memory.holds(0, 64, 2, 0));
}

TEST_CASE("rc read: a write behind it on the same memory does not change what it reads", "[rxe][rc][read]") {
  // IBTA vol 1, 10.8.3.3 (ordering): a WRITE may pass a READ's data phase unless fenced, so the write goes elsewhere
  // and the read must see what was there before both.
  Fixture f;
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8000))));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(9000)).with(f.c.a.sge(9000, 1000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(f.c.a.memory.holds(0, 8000, 2, 0));
  CHECK(f.c.b.memory.zero(9000, 1000));
}

TEST_CASE("rc read: the responder answers packet by packet as its port takes them", "[rxe][rc][read]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  qp.memory.fill(4);
  solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadRequest, kPeerPsn).reth(qp.remote(0), 20 * 1024));
  std::size_t packets = 0;
  for (; solo.side.transmit(1) == 1; ++packets) {
    const OwnedPacket& packet = solo.sent.back();
    CHECK(packet.header().bth.psn.value() == kPeerPsn + packets);
    REQUIRE(packet.payload().size() == 1024);
    CHECK(packet.payload()[5] == pattern(4, packets * 1024 + 5));
  }
  CHECK(packets == 20);
}

TEST_CASE("rc read: with max_dest_rd_atomic 0 none is accepted, also after a life in which some were",
          "[rxe][rc][read][responder]") {
  Solo solo;
  SoloQp qp(solo, {.max_dest_rd_atomic = 4});
  REQUIRE(qp.ready);
  const Craft read = solo.from_peer(qp, Opcode::kRcRdmaReadRequest, kPeerPsn).reth(qp.remote(0), 8);
  CHECK(solo.exchange(read) == Lines{"RC_RDMA_READ_RESPONSE_ONLY psn 5000 ack msn 1 len 8"});
  REQUIRE(qp.to_state(QpState::kReset));
  qp.options.max_dest_rd_atomic = 0;
  REQUIRE((qp.to_init() && qp.to_rtr(2, kPeerQpn, kPeerPsn) && qp.to_rts()));
  CHECK(solo.exchange(read) == Lines{"RC_ACKNOWLEDGE psn 5000 nak 1 msn 0"});
}

TEST_CASE("rc read: more than max_dest_rd_atomic at once are an invalid request", "[rxe][rc][read][responder]") {
  Solo solo;
  SoloQp qp(solo, {.max_dest_rd_atomic = 2});
  REQUIRE(qp.ready);
  for (std::uint32_t i = 0; i < 3; ++i) {
    solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadRequest, kPeerPsn + i).reth(qp.remote(0), 8));
  }
  solo.speak();
  CHECK(solo.lines() == Lines{"RC_RDMA_READ_RESPONSE_ONLY psn 5000 ack msn 1 len 8",
                              "RC_RDMA_READ_RESPONSE_ONLY psn 5001 ack msn 2 len 8",
                              "RC_ACKNOWLEDGE psn 5002 nak 1 msn 2"});
  CHECK(qp.state() == QpState::kErr);
}

}  // namespace rocelab::test
