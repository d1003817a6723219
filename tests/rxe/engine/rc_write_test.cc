// RC RDMA WRITE, with and without immediate: where bytes go, and where they must not.
#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::PathMtu;
using rxe::QpState;
using rxe::VendorError;
using rxe::WcOpcode;
using rxe::WcStatus;

namespace {

/// A connection whose b side is cleared and whose a side holds pattern 1.
struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}) : c(pair, options) {
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    c.b.memory.clear();
  }
  void refused(Work work, VendorError expected = VendorError::kNakRemoteAccess) {
    REQUIRE(c.a.post(work));
    settle(pair);
    const auto completion = expect_sent(c.a, work.request().wr_id, WcStatus::kRemAccessErr);
    CHECK(completion.vendor_err == static_cast<std::uint32_t>(expected));
    CHECK(c.b.memory.zero(0, c.b.memory.size()));
    CHECK(c.a.state() == QpState::kErr);
    CHECK(c.b.state() == QpState::kErr);
    CHECK(pair.b.count_events(rxe::EventType::kQpAccessErr, &c.b) == 1);
    expect_guards(c);
  }
};

}  // namespace

TEST_CASE("rc write: bytes go where the remote address says and no receive is consumed", "[rxe][rc][write]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(5000)).with(f.c.a.sge(100, 300))));
  settle(f.pair);
  CHECK(expect_sent(f.c.a, 1).opcode == WcOpcode::kRdmaWrite);
  expect_nothing(f.c.b);
  CHECK(f.c.b.memory.zero(0, 5000));
  CHECK(f.c.b.memory.holds(5000, 300, 1, 100));
  CHECK(f.c.b.memory.zero(5300, f.c.b.memory.size() - 5300));
  CHECK(f.pair.lines() ==
        Lines{"a RC_RDMA_WRITE_ONLY psn 1000 dma 300 len 300 ackreq", "b RC_ACKNOWLEDGE psn 1000 ack msn 1"});
}

TEST_CASE("rc write: only the first packet names address and key", "[rxe][rc][write]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  CHECK(f.pair.lines() == Lines{"a RC_RDMA_WRITE_FIRST psn 1000 dma 3000 len 1024",
                                "a RC_RDMA_WRITE_MIDDLE psn 1001 len 1024",
                                "a RC_RDMA_WRITE_LAST psn 1002 len 952 ackreq", "b RC_ACKNOWLEDGE psn 1002 ack msn 1"});
  CHECK(f.c.b.memory.holds(0, 3000, 1, 0));
}

TEST_CASE("rc write: lengths around every path MTU land byte by byte", "[rxe][rc][write]") {
  for (const PathMtu mtu : {PathMtu::k256, PathMtu::k1024, PathMtu::k4096}) {
    Fixture f({.mtu = mtu});
    const std::size_t m = rxe::mtu_bytes(mtu);
    for (const std::size_t length : {std::size_t{1}, m - 1, m, m + 1, 2 * m, 5 * m + 3}) {
      INFO("mtu " << m << " length " << length);
      f.c.b.memory.clear();
      REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(77)).with(f.c.a.sge(3, length))));
      settle(f.pair);
      expect_sent(f.c.a, 1);
      CHECK(f.c.b.memory.zero(0, 77));
      CHECK(f.c.b.memory.holds(77, length, 1, 3));
      CHECK(f.c.b.memory.zero(77 + length, f.c.b.memory.size() - 77 - length));
    }
  }
}

TEST_CASE("rc write: with immediate it consumes a receive without touching its buffer", "[rxe][rc][write][imm]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(1000)).with(f.c.a.sge(0, 2000)).imm(42)));
  settle(f.pair);
  CHECK(expect_sent(f.c.a, 1).opcode == WcOpcode::kRdmaWrite);
  const auto received = expect_received(f.c.b, 100);
  CHECK(received.opcode == WcOpcode::kRecvRdmaWithImm);
  CHECK(received.byte_len == 2000);
  CHECK(received.immediate == 42);
  CHECK(received.flags == rxe::wc_flag::kWithImm);
  CHECK(f.c.b.memory.zero(0, 64));
  CHECK(f.c.b.memory.holds(1000, 2000, 1, 0));
}

TEST_CASE("rc write: with immediate it needs no room in the receive", "[rxe][rc][write][imm]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, {}));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 5000)).imm(9)));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(expect_received(f.c.b, 100).byte_len == 5000);
}

TEST_CASE("rc write: of zero length it does not check the key, with immediate neither", "[rxe][rc][write]") {
  Fixture f;
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.a.post(Work::write(1, {0xdead'0000, 0xdead})));
  REQUIRE(f.c.a.post(Work::write(2, {0, 0}).imm(3)));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  const auto received = expect_received(f.c.b, 100);
  CHECK(received.byte_len == 0);
  CHECK(received.immediate == 3);
}

TEST_CASE("rc write: beyond the region it is refused before its first byte", "[rxe][rc][write][access]") {
  Fixture f;
  f.refused(Work::write(1, f.c.b.remote(f.c.b.memory.size() - 4999)).with(f.c.a.sge(0, 5000)));
}

TEST_CASE("rc write: one byte before the region it is refused", "[rxe][rc][write][access]") {
  Fixture f;
  Remote before = f.c.b.remote(0);
  --before.addr;
  f.refused(Work::write(1, before).with(f.c.a.sge(0, 2)));
}

TEST_CASE("rc write: an address near 2^64 does not wrap into the region", "[rxe][rc][write][access]") {
  Fixture f;
  f.refused(Work::write(1, {~0ull - 10, f.c.b.memory.mr().rkey}).with(f.c.a.sge(0, 64)));
}

TEST_CASE("rc write: an unknown key is refused", "[rxe][rc][write][access]") {
  Fixture f;
  Remote remote = f.c.b.remote(0);
  remote.rkey ^= 1;
  f.refused(Work::write(1, remote).with(f.c.a.sge(0, 8)));
}

TEST_CASE("rc write: a region without REMOTE_WRITE is refused", "[rxe][rc][write][access]") {
  Fixture f;
  Region readable(f.pair.b.device, f.pair.b.pd, 64, rxe::access::kLocalWrite | rxe::access::kRemoteRead);
  readable.clear();
  f.refused(Work::write(1, readable.remote(0)).with(f.c.a.sge(0, 8)));
  CHECK(readable.zero(0, 64));
}

TEST_CASE("rc write: a QP without REMOTE_WRITE refuses whatever the region allows", "[rxe][rc][write][access]") {
  Fixture f({.access = rxe::access::kRemoteRead});
  f.refused(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8)));  // docs/spec_exceptions.md says why so
}

TEST_CASE("rc write: a region of another protection domain is refused", "[rxe][rc][write][access]") {
  Fixture f;
  const auto pd = f.pair.b.device.alloc_pd();
  REQUIRE(pd.has_value());
  Region foreign(f.pair.b.device, *pd, 64);
  foreign.clear();
  f.refused(Work::write(1, foreign.remote(0)).with(f.c.a.sge(0, 8)));
  CHECK(foreign.zero(0, 64));
}

TEST_CASE("rc write: with immediate and without a receive the message waits for one", "[rxe][rc][write][rnr]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 100)).imm(1)));
  f.pair.advance(base::Duration::us(100));
  expect_nothing(f.c.a);
  CHECK(f.pair.count_sent('b', wire::Opcode::kRcAcknowledge) == 1);  // the RNR NAK
  REQUIRE(f.c.b.recv(100, {}));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_received(f.c.b, 100);
  CHECK(f.c.b.memory.holds(0, 100, 1, 0));
}

TEST_CASE("rc write: sixteen messages of 32 KiB in flight together land where each belongs", "[rxe][rc][write]") {
  QpOptions options{.mtu = PathMtu::k4096};
  options.buffer_bytes = 16 * 32 * 1024;
  Fixture f(options);
  for (std::uint64_t i = 0; i < 16; ++i) {
    REQUIRE(f.c.a.post(Work::write(i, f.c.b.remote((15 - i) * 32'768)).with(f.c.a.sge(i * 32'768, 32'768))));
  }
  settle(f.pair);
  for (std::uint64_t i = 0; i < 16; ++i) {
    expect_sent(f.c.a, i);
    CHECK(f.c.b.memory.holds((15 - i) * 32'768, 32'768, 1, i * 32'768));
  }
  expect_guards(f.c);
}

}  // namespace rocelab::test
